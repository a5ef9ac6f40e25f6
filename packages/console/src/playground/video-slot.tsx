import { useLayoutEffect, useRef } from 'react';

interface Props {
  /** The SDK's own element, which also plays the sound. */
  element: HTMLElement | null;
  /** Cameras fill the slot and are cropped; screens are shown whole. */
  fit?: 'cover' | 'contain';
  /** People expect to see themselves as in a mirror. */
  mirrored?: boolean;
  /** Out of sight, but still playing its sound. */
  hidden?: boolean;
}

/** A place for an element that the SDK made. */
export function VideoSlot({ element, fit = 'cover', mirrored = false, hidden = false }: Props) {
  const slot = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const place = slot.current;
    if (!place || !element) return;
    place.append(element);
    // An element that moves to another place stops playing.
    if (element instanceof HTMLVideoElement) element.play().catch(() => undefined);
    return () => {
      if (element.parentNode === place) element.remove();
    };
  }, [element]);
  return (
    <div
      ref={slot}
      className="video-slot"
      data-fit={fit}
      data-mirrored={mirrored}
      data-hidden={hidden}
      aria-hidden="true"
    />
  );
}
