// Closes the gap between the sources of mediasoup-worker 3.19 and the libraries that Debian 12 ships
// (libsrtp 2.5, OpenSSL 3.0). The compiler reads this header before each source file; no source is patched.
//
// Two things differ:
//  1. mediasoup calls libsrtp 3, whose transforms read one buffer and write another. libsrtp 2 works in place.
//  2. OpenSSL uses the answer of a BIO callback as the result of the call. mediasoup answers 1 to everything;
//     with kernel TLS compiled in, as in Debian, that makes OpenSSL believe that the BIO writes through the
//     kernel, so it allocates no write buffer and the first handshake message is written through a null pointer.
#pragma once

#include <climits>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <openssl/bio.h>
#include <srtp2/srtp.h>

namespace cloister
{
	using InPlaceTransform = srtp_err_status_t (*)(srtp_ctx_t*, void*, int*);

	// Copies the packet to the output buffer and transforms it there. As with libsrtp 3, the caller provides room
	// for the packet and its trailer; on failure the output length is left alone.
	inline srtp_err_status_t transform(
	  InPlaceTransform apply, srtp_ctx_t* context, const uint8_t* packet, size_t length, uint8_t* output, size_t* outputLength)
	{
		if (length > static_cast<size_t>(INT_MAX) - SRTP_MAX_TRAILER_LEN)
		{
			return srtp_err_status_bad_param;
		}

		if (output != packet)
		{
			std::memmove(output, packet, length);
		}

		int transformed   = static_cast<int>(length);
		const auto status = apply(context, output, &transformed);

		if (status == srtp_err_status_ok)
		{
			*outputLength = static_cast<size_t>(transformed);
		}

		return status;
	}

	// The worker has one thread and one BIO callback, so one slot is enough.
	inline BIO_callback_fn_ex workerCallback = nullptr;

	// Runs the worker's callback for its effect, but reports the result that the BIO itself gave.
	inline long keepResult(
	  BIO* bio, int operation, const char* data, size_t length, int argi, long argl, int result, size_t* processed)
	{
		const long answer = workerCallback(bio, operation, data, length, argi, argl, result, processed);

		return (operation & BIO_CB_RETURN) != 0 ? static_cast<long>(result) : answer;
	}

	inline void setCallback(BIO* bio, BIO_callback_fn_ex callback)
	{
		workerCallback = callback;
		::BIO_set_callback_ex(bio, keepResult);
	}
} // namespace cloister

#define BIO_set_callback_ex ::cloister::setCallback

// The names and argument lists of libsrtp 3. The key index (MKI) is unused by WebRTC and always 0.
inline srtp_err_status_t srtp_protect(
  srtp_ctx_t* context, const uint8_t* rtp, size_t length, uint8_t* srtp, size_t* srtpLength, size_t /*mki*/)
{
	return cloister::transform(::srtp_protect, context, rtp, length, srtp, srtpLength);
}

inline srtp_err_status_t srtp_protect_rtcp(
  srtp_ctx_t* context, const uint8_t* rtcp, size_t length, uint8_t* srtcp, size_t* srtcpLength, size_t /*mki*/)
{
	return cloister::transform(::srtp_protect_rtcp, context, rtcp, length, srtcp, srtcpLength);
}

inline srtp_err_status_t srtp_unprotect(
  srtp_ctx_t* context, const uint8_t* srtp, size_t length, uint8_t* rtp, size_t* rtpLength)
{
	return cloister::transform(::srtp_unprotect, context, srtp, length, rtp, rtpLength);
}

inline srtp_err_status_t srtp_unprotect_rtcp(
  srtp_ctx_t* context, const uint8_t* srtcp, size_t length, uint8_t* rtcp, size_t* rtcpLength)
{
	return cloister::transform(::srtp_unprotect_rtcp, context, srtcp, length, rtcp, rtcpLength);
}

inline srtp_err_status_t srtp_stream_remove(srtp_ctx_t* context, uint32_t ssrc)
{
	return ::srtp_remove_stream(context, ssrc);
}

// mediasoup names these two in its table of error texts. libsrtp 2 never returns them.
constexpr auto srtp_err_status_buffer_small = static_cast<srtp_err_status_t>(srtp_err_status_pkt_idx_adv + 1);
constexpr auto srtp_err_status_cryptex_err  = static_cast<srtp_err_status_t>(srtp_err_status_pkt_idx_adv + 2);
