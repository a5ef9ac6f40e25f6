/**
 * Every limit of the platform, by name, with its unit in the name and the reason beside it. A limit is tested at its
 * bound and one past it; docs/reference/limits.md is generated from this table.
 */
import { auditLimits } from './limits-audit.ts';

interface Limit {
  readonly value: number;
  readonly why: string;
}

const table = {
  // Tokens and REST credentials
  restTokenLifetimeSeconds: { value: 300, why: 'OpenTok allows a REST token five minutes between iat and exp' },
  clockSkewSeconds: { value: 60, why: 'clocks of application servers drift; a token from the near future is accepted' },
  clientTokenLifetimeSeconds: {
    value: 30 * 24 * 3600,
    why: 'OpenTok: a client token expires 30 days after its creation at the latest',
  },
  clientTokenDefaultSeconds: { value: 24 * 3600, why: 'OpenTok: a client token without expiry lives a day' },
  provenIssuers: {
    value: 10_000,
    why: 'issuers that have shown a right credential; they are checked even behind an address that fails too often',
  },
  credentialBytes: { value: 8192, why: 'longer than any REST credential an SDK makes; fits into one header' },
  tokenBytes: {
    value: 32 * 1024,
    why: 'a T1 token with connection data and layout classes of 1024 three-byte characters each has 25 kB; more is refused before decoding',
  },
  connectionDataChars: { value: 1024, why: 'the Node SDK checks 1024 characters (the docs say 1000)' },
  layoutClasses: { value: 32, why: 'classes of one stream' },
  layoutClassChars: { value: 64, why: 'one layout class' },
  ticketBytes: { value: 16 * 1024, why: 'a ticket carries the connection data of its token' },
  admissionSeconds: { value: 60, why: 'an admission ticket is used at once' },

  // REST
  requestSeconds: {
    value: 30,
    why: 'a request has arrived whole by then, however slowly its bytes come; before a credential is known a socket costs memory',
  },
  requestHeadSeconds: { value: 10, why: 'the same for its head, and for a socket that asks for nothing' },
  socketSilentSeconds: { value: 60, why: 'an HTTP socket on which nothing moves, be it that an answer is not read' },
  bodyBytes: { value: 64 * 1024, why: 'the largest legal body is a signal of 8 kB' },
  nameChars: { value: 128, why: 'names of projects and streams' },
  archiveNameChars: { value: 80, why: 'OpenTok: archiveName of session/create' },
  callbacksPerProject: { value: 100, why: 'each costs a delivery per event' },
  urlChars: { value: 2048, why: 'a callback address' },
  projectsPerAccount: { value: 10_000, why: 'list calls stay small' },

  // Plans, terms and usage
  plansFileBytes: { value: 256 * 1024, why: 'a hundred versions of a table with ten plans' },
  planVersions: { value: 100, why: 'versions of the table of plans; all are looked at for each preview' },
  plansPerTable: { value: 50, why: 'an error names all that include a feature' },
  planNameChars: { value: 32, why: 'names of plans and of versions of their table stand in errors and tables' },
  termsWaiting: { value: 20, why: 'changes of one account that have not taken effect; each is looked at in a preview' },
  termsChangesPerDay: {
    value: 100,
    why: 'an account changes its add-ons so often in 24 hours; each change is kept for ever, and read with the account',
  },
  termsAheadDays: { value: 3653, why: 'a change ten years from now is a typing error' },
  usageExportRows: {
    value: 100_000,
    why: 'days of projects in one export, which is made in memory: three hundred projects for a year',
  },
  termsUsesNamed: { value: 10, why: 'uses of a feature that the refusal of its loss names; the preview has all' },

  // Sessions
  connectionsPerSession: { value: 3000, why: 'one session on one node' },
  streamsPerConnection: { value: 16, why: 'cameras, screens and custom sources of one client' },
  streamsPerSession: { value: 1000, why: 'every connection is told of every stream' },
  subscriptionsPerConnection: { value: 200, why: 'decoders of one page' },

  // Relayed sessions
  peersPerConnection: {
    value: 9,
    why: 'clients with whom one exchanges media in a relayed session, so ten in a mesh: each is a picture encoded and sent once more, 12 Mbit/s upwards in all at 1280x720',
  },
  peerDescriptionChars: {
    value: 64 * 1024,
    why: 'a description of a pair with two streams either way has 20 kB, and candidates come beside it',
  },
  peerTracks: { value: 32, why: 'tracks of streamsPerConnection streams, of sound and picture each' },
  peerFingerprintChars: { value: 256, why: 'a fingerprint of SHA-512 has 200 characters' },
  legsPerSubscription: {
    value: 256,
    why: 'a leg is each connection that a pair makes anew for one stream; who names ever other ones would fill the record',
  },
  peerProofSeconds: {
    value: 8,
    why: 'a client that has the other end’s key has its proof a round trip later; none by then, with a connection that is up, and the pair ends',
  },
  wordsPerLeg: {
    value: 16,
    why: 'words of one end that are kept of a leg: its first ones and its last; two clients that negotiate say two or three',
  },
  peerCandidateChars: { value: 512, why: 'a candidate has some 150 characters' },

  // Signals
  signalTypeBytes: { value: 128, why: 'OpenTok: type of a signal' },
  signalDataBytes: { value: 8192, why: 'OpenTok: data of a signal' },

  // Signalling
  frameBytes: { value: 256 * 1024, why: 'RTP parameters of a simulcast stream take some 10 kB' },
  helloSeconds: { value: 5, why: 'a socket that says nothing is dropped' },
  heartbeatSeconds: { value: 5, why: 'a dead network is noticed within two beats' },
  heartbeatMissedSeconds: { value: 12, why: 'two beats and the way there' },
  resumeSeconds: { value: 30, why: 'a cut this long is resumed without losing a signal' },
  outboundMessages: { value: 4096, why: 'events kept for one connection until it has acknowledged them' },
  outboundBytes: { value: 8 * 1024 * 1024, why: 'the same, in bytes' },
  socketBytes: {
    value: 16 * 1024 * 1024,
    why: 'what a client that does not read makes the server hold: all kept events once more, and answers',
  },
  requestsInFlight: { value: 128, why: 'requests of one connection that have no answer yet' },
  answersKept: { value: 256, why: 'answers kept so that a request repeated after a cut is not done twice' },

  // Sealed frames
  framesPerKey: {
    value: 2 ** 32 - 1,
    why: 'frames that one key seals, far below what AES-GCM allows; a publisher with three layers and sound takes a year',
  },
  frameReplayWindow: {
    value: 4096,
    why: 'counters behind the newest that are told apart, and no older ones are opened; a sender with three layers and sound takes half a minute',
  },
  frameReplaySsrcs: {
    value: 64,
    why: 'SSRCs under one key of a sender: its tracks and layers, subscribed to more than once, within frameReplayWindow',
  },
  frameKeysKept: { value: 4, why: 'keys of one sender whose frames may still be under way' },
  framesFailedInARow: {
    value: 25,
    why: 'frames of one track in a row that do not open before its subscriber is told: half a second of sound',
  },
  encryptionSecretCharsLeast: { value: 8, why: "OpenTok's bound" },
  encryptionSecretChars: { value: 256, why: "OpenTok's bound" },
  encryptionSecretIterations: {
    value: 600_000,
    why: 'PBKDF2 with SHA-256 for a secret that people choose; a quarter of a second in a browser, as long for each guess',
  },
  frameKeyLeadSeconds: {
    value: 2,
    why: 'a key of a new secret is told this long before it seals: the others stretch their secret meanwhile',
  },
  frameKeyGraceSeconds: {
    value: 10,
    why: 'after a change of the secret, those who still have the old one are understood this long, and no longer',
  },

  // Rates: a bucket that holds `burst` and refills by `perSecond`
  restPerProjectPerSecond: { value: 2500, why: 'one project cannot take the whole node' },
  restPerProjectBurst: { value: 5000, why: 'the same, at once' },
  restPerAddressPerSecond: { value: 3000, why: 'an application server has one address' },
  restPerAddressBurst: { value: 6000, why: 'the same, at once' },
  joinsPerTokenPerSecond: { value: 5, why: 'one token is one client that may connect again' },
  joinsPerTokenBurst: { value: 100, why: 'a class may share a token' },
  joinsPerAddressPerSecond: { value: 200, why: 'a hospital behind one address joins at nine' },
  joinsPerAddressBurst: { value: 1000, why: 'the same, at once' },
  failuresPerAddressPerSecond: { value: 2, why: 'guessing of secrets' },
  failuresPerAddressBurst: { value: 50, why: 'a wrongly configured application server is told so for a while' },
  requestsPerConnectionPerSecond: { value: 200, why: 'signalling requests of one client' },
  requestsPerConnectionBurst: { value: 2000, why: 'a thousand signals in a row are legal' },
  framesPerConnectionPerSecond: {
    value: 400,
    why: 'every frame of one client, so also signs of life, acknowledgements, and requests that are refused',
  },
  framesPerConnectionBurst: { value: 4000, why: 'requests and acknowledgements of a burst, twice over' },
  rateBuckets: { value: 100_000, why: 'buckets kept for each scope; past it the fullest of the oldest go first' },
  rateKeySeconds: { value: 24 * 3600, why: 'the key under which a subject is remembered lives a day' },
  forwardedHops: { value: 16, why: 'proxies in front of this server that one request may name' },

  // Media
  suiteReportSeconds: { value: 2, why: 'the worker names the suite before it says connected; later is never' },
  workerAnswerSeconds: { value: 1, why: 'a worker that does not answer this long is hung and is replaced' },
  workerStarvedSeconds: {
    value: 5,
    why: 'a worker that waits for a CPU is not hung, but silent for this long its calls are lost either way',
  },
  keyFrameIntervalMs: { value: 1000, why: 'requests of many subscribers within it are one request' },
  transportBitrateBpsMax: { value: 10_000_000, why: 'incoming bitrate of one publisher' },
  audioFallbackBps: { value: 90_000, why: 'below it a subscriber gets audio alone' },
  audioRecoverBps: { value: 150_000, why: 'above it the picture comes back' },
  audioFallbackSeconds: { value: 2, why: 'poor for this long before the picture goes' },
  audioRecoverSeconds: { value: 1, why: 'good for this long before the picture is tried again' },
  audioTrialSeconds: {
    value: 2,
    why: 'the picture is sent without a word for this long before it counts as back, five seconds at most after the way is good',
  },
  audioRecoverSecondsMax: {
    value: 30,
    why: 'a picture that comes back and does not stay waits longer each time, up to this; one that stayed for it begins anew',
  },
  publisherFallbackBps: { value: 80_000, why: 'below it a publisher with audioFallback.publisher sends audio alone' },
  publisherRecoverBps: { value: 150_000, why: 'above it the publisher sends its picture again' },
  transportBitrateBpsStart: { value: 1_000_000, why: 'what a way to a client is taken to carry until it is measured' },
  audioNeedBps: { value: 40_000, why: 'one Opus stream with its headers, taken off before pictures get their share' },
  streamsPerWorker: { value: 1200, why: 'streams that one core forwards, until the worker has been measured' },
  unwantedSeconds: { value: 2, why: 'an encoder is not stopped for somebody who comes back at once' },
  tapsPerRoom: {
    value: 264,
    why: 'four recordings of one session at once, of 50 voices and 16 pictures each: every packet goes through this process',
  },
  subscribersPerRouter: { value: 400, why: 'past it a session spreads to another worker by a pipe' },

  // TURN
  turnCredentialSeconds: {
    value: 600,
    why: 'the most that a TURN credential lives, and the nonce that a relay asks for: who has copied one can begin nothing with it after that',
  },
  turnCredentialSecondsMin: { value: 4, why: 'a shorter life would be over before its renewal has arrived' },
  turnAllocationsPerConnection: {
    value: 50,
    why: 'a browser has one for each transport, TURN address and network of its machine, and while ICE restarts those twice',
  },
  turnBytesPerSecond: {
    value: 5_000_000,
    why: 'each way over one allocation: all that a page with 16 pictures receives',
  },
  turnWarningsPerMinute: {
    value: 60,
    why: 'lines of coturn that are logged: anybody can make it write one by a wrong credential',
  },
  turnStartSeconds: { value: 5, why: 'a TURN server that does not answer by then is ended and started anew' },
  turnStopSeconds: { value: 2, why: 'one that was asked to end and has not by then is killed' },
  turnRestartMs: { value: 500, why: 'the first wait before it is started again; then each time twice as long' },
  turnRestartSecondsMax: { value: 30, why: 'the longest such wait; after one that ran longer the waits begin anew' },

  // Archives: what is in the picture
  archivePictures: { value: 16, why: 'OpenTok: pictures in a composed archive; the streams that come first have them' },
  archiveVoices: {
    value: 50,
    why: 'OpenTok: voices in a composed archive; the streams that were there first have them',
  },
  stylesheetBytes: {
    value: 32 * 1024,
    why: 'a custom layout; a rule for each of 16 places takes 2 kB. Checked before anything is parsed',
  },
  stylesheetNesting: { value: 4, why: 'brackets within brackets; a layout needs one, and a parser has a stack' },
  stylesheetSelectors: { value: 512, why: 'selectors of all rules; every one is held against every stream' },
  selectorParts: { value: 32, why: 'names, classes, pseudo-classes and combinators of one selector' },
  stylesheetDeclarations: { value: 2048, why: 'declarations of all rules' },
  stylesheetNumber: { value: 10_000, why: 'px or % of a length, either way, and a z-index: five canvases and more' },
  // Archives: recording
  archiveDelayMs: { value: 500, why: 'what is composed is this old, so that late and repeated packets are there' },
  archiveJitterPackets: { value: 4096, why: 'packets of one track that wait for their turn in a recorder' },
  archiveKeyFrameMs: { value: 500, why: 'a recorder that lost a picture asks for a key frame this often' },
  archiveClockWindowSeconds: {
    value: 10,
    why: 'the fastest packet of this long ties the clock of a publisher to ours',
  },
  archiveClockSlewPpm: {
    value: 1000,
    why: 'a tie between clocks moves by this much of the time passed, which nobody hears',
  },
  archiveClockJumpMs: { value: 500, why: 'a tie that is off by more is made anew: that clock was set' },
  archiveClockReports: {
    value: 3,
    why: 'of this many reports of a track of sound the earliest counts: a busy publisher says late when sound was taken',
  },
  archiveClockReportMs: {
    value: 60,
    why: 'a report of sound that is later than those before it by more is believed: samples were lost that nobody saw',
  },
  archiveClockSlipMs: {
    value: 15,
    why: 'sound whose timestamps fall further behind than this, while pictures do not, lost samples at its publisher',
  },
  archiveClockStepMs: {
    value: 25,
    why: 'sound that is out of place by no more moves there at archiveClockSlewPpm; by more, at once, which can be heard',
  },
  archiveClockLateMs: {
    value: 500,
    why: 'all that came for this long is late by more than archiveClockJumpMs: that clock was set back, and is tied anew',
  },
  archiveAudioFrameSamples: { value: 5760, why: 'the longest Opus packet, 120 ms' },
  archivePipeBytes: {
    value: 8_000_000,
    why: 'what waits for a recorder that does not keep up; past it whole pictures are dropped',
  },
  archiveOrderBytes: {
    value: 4_000_000,
    why: 'orders that wait for a recorder beside archivePipeBytes; past it that recording fails',
  },
  archiveAdvancesWaiting: {
    value: 8,
    why: 'times that a recorder was told and has not answered; past it the next one waits for an answer',
  },
  archiveSilentSeconds: {
    value: 30,
    why: 'a recorder that does not answer for this long is killed: what it was to record meanwhile is lost anyhow',
  },
  archiveReportChars: { value: 1000, why: 'a text in what a recorder says: the id of a stream, why it failed' },
  archiveWriteBytes: {
    value: 4_000_000,
    why: 'cipher text of one recording that waits for our disk; past it no more is taken from the recorder until it is written',
  },
  archiveWriteSeconds: {
    value: 20,
    why: 'a disk that has not written archiveWriteBytes by then is too slow: that recording fails',
  },
  archiveRecorderBytes: {
    value: 1_200_000_000,
    why: 'memory of one recorder; past it that recording fails, and nothing else',
  },
  archivePicturePixels: {
    value: 4096 * 2304,
    why: 'the largest picture that a recorder decodes: 4K; a larger one is left out of the archive, and its stream is a plain tile',
  },
  archiveRecorderDataBytes: {
    value: 2_000_000_000,
    why: 'writable memory that the kernel lets a recorder reserve: archiveRecorderBytes, and what its program reserves and never uses',
  },
  archiveSyncMs: {
    value: 1000,
    why: 'what an archive has grown by is synced to its disk this often; a power cut takes as much along, and uploads are behind by it',
  },
  archiveSandboxTrialMs: { value: 10_000, why: 'a sandbox in which no program starts within this time is none' },
  archiveFileWaitMs: {
    value: 5000,
    why: 'an individual file waits this long for its second track and its first picture, whose size its head has; what comes later has a file of its own',
  },
  archiveFiles: {
    value: 1000,
    why: 'files of one individual archive; a stream has another when it comes back or changes its codec. What comes past it is not recorded',
  },
  archiveFileChunkBytes: {
    value: 32 * 1024,
    why: 'of a file of an individual archive, what is authenticated at a time: eight seconds of a voice alone, which a recorder that dies may take along',
  },
  archiveManifestBytes: {
    value: 8_000_000,
    why: 'manifest of a sealed individual archive, which who opens it has in memory: archiveFiles with connectionDataChars have less, escaped as JSON does too',
  },
  archiveEndSeconds: { value: 20, why: 'a recorder that was told to stop and has not ended by then is killed' },
  archiveMessageBytes: { value: 1_000_000, why: 'one message to or from a recorder' },

  // Webhooks and what goes out
  webhookTimeoutSeconds: { value: 10, why: 'a slow receiver holds one slot, not a call' },
  webhookAttempts: {
    value: 36,
    why: 'with waits that double up to an hour this is a day: a receiver may be down overnight',
  },
  webhookFirstWaitSeconds: { value: 1, why: 'the first retry' },
  webhookWaitSecondsMax: { value: 3600, why: 'the longest wait between two tries' },
  webhookAnswerBytes: { value: 16 * 1024, why: 'the answer is not read further' },
  egressHeaderBytes: { value: 16 * 1024, why: 'headers of an answer from outside' },
  egressAddresses: { value: 16, why: 'addresses of one name that are checked and tried' },
  webhooksInFlight: { value: 64, why: 'deliveries at the same time' },
  webhooksInFlightPerProject: { value: 16, why: 'dead receivers of one project leave room for the others' },
  webhookReadEvents: { value: 200, why: 'events of the outbox that become deliveries in one transaction' },
  webhookGatherMs: { value: 25, why: 'while events keep coming they are read in batches; after a silence at once' },
  webhookStopSeconds: {
    value: 2,
    why: 'how long a stop waits for deliveries that are under way; the rest go out again',
  },

  // Address lists
  addressNoticeDays: { value: 90, why: 'customers change their firewalls within it; OpenTok gives as long' },
  addressPrefixBitsV4: { value: 16, why: 'a shorter IPv4 prefix opens a firewall to more than 65,536 addresses' },
  addressPrefixBitsV6: { value: 32, why: 'a shorter IPv6 prefix is more than a registry gives one provider' },
  addressBlocks: { value: 1000, why: 'blocks of one list; firewalls take it whole, and each version keeps all of it' },
  addressPortRanges: { value: 16, why: 'ports and ranges of one block' },
  addressReasonChars: { value: 500, why: 'why an emergency cannot wait; every customer reads it' },
  addressProposalHours: { value: 24, why: 'an emergency that nobody approves within a day is none' },
  addressHistory: { value: 1000, why: 'versions that a history shows, newest first' },
  addressReminderDaysFirst: { value: 30, why: 'a project that is behind is reminded this long before a change' },
  addressReminderDaysSecond: { value: 7, why: 'the same again' },
  addressReminderDaysLast: { value: 1, why: 'the same, for the last time' },
  addressKeyLeadDays: { value: 30, why: 'the next key for lists is published this long before it signs' },
  addressProbes: { value: 16, why: 'addresses of one block that ip-ranges check tries, and ports of one range' },
  addressProbeSeconds: { value: 3, why: 'what has not answered by then is kept back' },

  // Sealed archives
  certificateBytes: {
    value: 16 * 1024,
    why: 'a certificate with a key of 8192 bits has some 3 kB; in base64 a third more',
  },
  certificateRsaBitsMin: { value: 2048, why: 'shorter RSA keys are not safe (NIST SP 800-131A)' },
  certificateRsaBitsMax: { value: 8192, why: 'a longer key costs time and adds nothing' },
  archiveRecipients: { value: 16, why: 'certificates that one archive is sealed to; each adds to its header' },
  archivePasswordChars: { value: 2048, why: 'base64 of what an RSA key of 8192 bits makes has 1368 characters' },
  sealedHeaderBytes: { value: 64 * 1024, why: 'sixteen recipients with keys of 8192 bits need 30 kB' },
  sealedChunkBytes: {
    value: 64 * 1024,
    why: 'of a sealed archive, what is authenticated at a time: a third of a second of video at 1.5 Mbit/s, 0.03 % of overhead',
  },
  sealedChunkBytesMin: { value: 4 * 1024, why: 'a reader takes chunks from this size on' },
  sealedChunkBytesMax: { value: 1024 * 1024, why: 'a reader has one chunk in memory before it knows who wrote it' },
  sealedChunks: {
    value: 2 ** 32,
    why: 'the number of a chunk has 32 bits in its nonce, which may not repeat; 256 TiB of the usual chunks',
  },
  securityRecordFileBytes: {
    value: 100_000_000,
    why: 'a signed security record that the command reads: a leg with its words has some 1 kB in it, so of some 90,000 legs',
  },
  archiveKeyFileBytes: {
    value: 64 * 1024,
    why: 'a private key, its passphrase, a manifest or the public keys of a platform, as a command reads them: as PEM a key of 16384 bits has some 13 kB, a manifest to archiveRecipients some 3 kB, and 400 public keys have less',
  },

  // Archives: their life
  archiveRecordedSeconds: {
    value: 4 * 3600,
    why: 'OpenTok: recorded time of one archive; an automatic one goes on in the next',
  },
  archiveWallSeconds: { value: 12 * 3600, why: 'OpenTok: the same with its pauses' },
  archivePausedSeconds: { value: 3600, why: 'OpenTok: nobody publishes for this long, then it stops' },
  archiveLeftSeconds: { value: 60, why: 'OpenTok: nobody is in the session for this long, then it stops' },
  archiveBeginSeconds: { value: 60, why: 'OpenTok: somebody must publish by then' },
  archiveRestartSeconds: {
    value: 10,
    why: 'an automatic archive whose recorder failed goes on in another at once; after the second failure in a row that waits so long, then twice as long each time',
  },
  archiveRestartSecondsMax: {
    value: 300,
    why: 'the longest such wait, so that a stream that crashes every recorder makes 12 archives an hour; failures further apart than that are not in a row',
  },
  archiveStartTries: {
    value: 3,
    why: 'an archive whose storage or sealing was changed while it was being started is started anew, under the new one; so often in all',
  },
  archiveStreams: { value: 50, why: 'OpenTok: streams of one archive' },
  archiveStreamWaitSeconds: {
    value: 1,
    why: 'a stream that could not be recorded, as on a node that is full, is tried again after that, then each time twice as late',
  },
  archiveStreamWaitSecondsMax: { value: 30, why: 'the longest of these waits' },
  archivesPerSession: { value: 10, why: 'each is a recorder of its own' },
  archiveTextChars: { value: 512, why: 'name and multiArchiveTag of an archive' },
  archiveBitrateBpsMin: { value: 100_000, why: 'OpenTok: maxBitrate of an archive' },
  archiveBitrateBpsMax: { value: 6_000_000, why: 'the same' },
  archiveQuantizationMin: { value: 15, why: 'OpenTok: quantizationParameter of an archive' },
  archiveQuantizationMax: { value: 40, why: 'the same' },
  archivesListed: { value: 1000, why: 'OpenTok: archives in one answer' },
  archivesListedDefault: { value: 50, why: 'OpenTok: the same, where none is asked for' },
  archiveKeptSeconds: { value: 72 * 3600, why: 'OpenTok: what is kept with us goes after three days' },
  archiveSweepSeconds: { value: 600, why: 'how long past its time an archive may be there' },
  archiveSweepRows: { value: 100, why: 'archives that one round of the sweep removes' },
  archiveLinkSeconds: { value: 600, why: 'OpenTok: a download link is good for ten minutes' },
  archiveLinkSecondsMost: {
    value: 86_400,
    why: 'the most that archiveLink may be set to: whoever finds a link has the archive, and keys that sign links are kept a few days',
  },
  archiveLinksCounted: {
    value: 1000,
    why: 'links whose first use was recorded; past it the oldest is recorded again',
  },
  archiveStopSeconds: { value: 3, why: 'how long a stop of the server waits for recordings to end' },
  storageWordChars: { value: 512, why: 'one value of the storage of a project' },

  // Archives: uploads
  uploadPartBytes: {
    value: 5 * 1024 * 1024,
    why: 'S3 takes no smaller part but the last; a larger one would wait longer to be sent and to be sent again',
  },
  uploadParts: {
    value: 10_000,
    why: 'S3: parts of one object; an archive that would have more is sent anew in larger ones',
  },
  uploadLookSeconds: { value: 2, why: 'how often a recording is asked whether it has another part' },
  uploadRequestSeconds: { value: 120, why: 'one part over a line of 350 kbit/s' },
  uploadAnswerBytes: { value: 64 * 1024, why: 'an answer of a storage; an error of S3 has some 500 bytes' },
  uploadFirstWaitSeconds: { value: 1, why: 'the first try after one that failed' },
  uploadWaitSecondsMax: { value: 300, why: 'the longest wait between two tries: a storage that is back is noticed' },
  uploadSeconds: {
    value: 24 * 3600,
    why: 'how long after its end an archive is tried: a storage may be away overnight',
  },
  uploadRefusals: {
    value: 3,
    why: 'tries after its end of an archive that the storage refuses: a wrong key does not become right',
  },
  uploadsInFlight: { value: 8, why: 'parts that are sent at the same time, each of them in memory' },
  uploadsInFlightPerProject: { value: 4, why: 'a storage that is slow leaves room for those of other projects' },
  uploadWaitingBytes: {
    value: 100_000_000_000,
    why: 'what waits for its upload on our disk: 150 hours of archives at 1.5 Mbit/s',
  },

  // Log-ins
  loginSeconds: { value: 8 * 3600, why: 'a working day' },

  // People
  peoplePerAccount: {
    value: 1000,
    why: 'lists stay small; who has more gives them roles by groups of a log-in service',
  },
  emailChars: { value: 254, why: 'the longest address that mail can be sent to (RFC 5321)' },
  invitationSeconds: { value: 3 * 24 * 3600, why: 'a link to take up a role; it is a way in as long as it lives' },
  personIdleSeconds: { value: 15 * 60, why: 'a log-in without use ends: somebody left their desk' },
  personSessionSeconds: { value: 8 * 3600, why: 'a log-in ends after a working day, used or not' },
  sessionsPerPerson: { value: 10, why: 'log-ins of one person at a time; the oldest ends for a new one' },
  logInFailures: { value: 5, why: 'log-ins that may fail for one name before the next has to wait' },
  logInAddressFailures: { value: 20, why: 'the same for one address, behind which there may be an office' },
  logInLockSeconds: { value: 60, why: 'the first wait; each further failure doubles it' },
  logInLockSecondsMost: { value: 3600, why: 'no wait is longer, so that nobody is shut out for a day by another' },
  logInFailuresKeptSeconds: { value: 24 * 3600, why: 'failures count this long after the last of them' },
  logInAddressesKept: { value: 10_000, why: 'addresses whose failures are counted, in memory; the oldest goes first' },
  logInAddressSeconds: {
    value: 90 * 24 * 3600,
    why: 'the address of a log-in stays, sealed, for whoever looks into an incident',
  },
  logInChallengeSeconds: { value: 300, why: 'a log-in by passkey or log-in service is finished by then' },
  logInChallenges: { value: 1000, why: 'such log-ins under way, in memory; the oldest goes first' },
  logInsListed: { value: 200, why: 'log-ins that one answer lists, the newest' },
  passwordCharsLeast: { value: 12, why: 'with a second factor beside it; NIST SP 800-63B asks for 8 then' },
  passwordChars: { value: 128, why: 'a sentence; more would be work for nothing' },
  passwordHashesWaiting: {
    value: 16,
    why: 'hashes of passwords that wait for their turn, each 20 MB and 50 ms; past it the caller comes back',
  },
  recoveryCodes: { value: 10, why: 'each stands once for a code of an authenticator that is lost' },
  passkeysPerPerson: { value: 10, why: 'devices and spare keys of one person' },
  apiKeysPerAccount: { value: 100, why: 'one for each program, and some in rotation' },
  apiKeySeconds: { value: 366 * 24 * 3600, why: 'no key lives for longer than a year without being replaced' },
  supportGrantSeconds: {
    value: 7 * 24 * 3600,
    why: 'support staff sees an account for as long as a fault is looked for',
  },
  supportGrantsPerAccount: { value: 20, why: 'grants of one account that have not ended' },

  // Log
  logTextChars: { value: 4000, why: 'one text field of a log line; a stack of a deep error is some 3,000' },

  // Keys
  secretGraceSecondsMax: { value: 7 * 24 * 3600, why: 'two secrets of a project are valid at most this long' },
  sealsPerDataKey: {
    value: 2 ** 28,
    why: 'past it a data key is replaced; NIST SP 800-38D allows 2^32 random nonces, and up to 16 processes count for themselves',
  },
  sealsReserved: { value: 2 ** 18, why: 'seals are counted on disk in blocks; a restart wastes at most one block' },
  sealsUncounted: {
    value: 2 ** 16,
    why: 'seals of one key while its count is on the way to the disk; past it sealing stops',
  },
  signingKeyOverlapSeconds: {
    value: 7 * 24 * 3600,
    why: 'what a retired key signed is accepted this long; nothing that is signed lives longer',
  },

  // The record of calls
  recordsWaiting: {
    value: 20_000,
    why: 'events of calls that wait for the database; past it nothing new begins, and what is open may still end',
  },
  recordsPerWrite: { value: 1000, why: 'events of calls in one transaction; more would make others wait' },
  recordTries: { value: 5, why: 'an event that the database refuses while it takes others is then given up' },
  recordFlushSeconds: {
    value: 4,
    why: 'a security record that is not whole by then is refused; a stop waits for it twice within its ten seconds',
  },

  // The store
  writesPerTransaction: { value: 500, why: 'changes that share a transaction; more would make the first of them wait' },
  writesWaiting: { value: 10_000, why: 'changes that wait for the database; past it the caller is told to come back' },
  outboxReadRows: { value: 1000, why: 'events that one read returns' },
  outboxKeptRows: {
    value: 10_000,
    why: 'events that every reader has passed stay this long, for an operator to look at',
  },
  resealRows: { value: 500, why: 'values sealed anew in one transaction, so that no change waits long for it' },
  outboxTrimRows: { value: 5000, why: 'events removed in one transaction, so that no change waits long for it' },
  embeddedLogBytes: {
    value: 128 * 1024 * 1024,
    why: 'write-ahead log of the embedded database that a restart after a crash has to replay; past it the database is tidied up',
  },
  embeddedTransactionAge: {
    value: 200_000_000,
    why: 'transaction ids run out at 2^31; past this age old rows are frozen',
  },
  databaseAnswerSeconds: { value: 30, why: 'a statement that takes longer is cancelled' },
  databaseConnections: { value: 8, why: 'reads of one process at the same time, on PostgreSQL' },
  databaseConnectSeconds: { value: 5, why: 'a database that cannot be reached is reported' },
  ...auditLimits,
  databaseReconnectSeconds: { value: 2, why: 'between two attempts to hear of the changes of other processes' },
} as const satisfies Record<string, Limit>;

/** The name of a limit. */
export type LimitName = keyof typeof table;

/** The table with its reasons, for the generated reference. */
export const limitTable: Readonly<Record<LimitName, Limit>> = table;

/** The values alone: `limits.signalDataBytes`. */
export const limits = Object.fromEntries(Object.entries(table).map(([name, { value }]) => [name, value])) as {
  readonly [Name in LimitName]: number;
};
