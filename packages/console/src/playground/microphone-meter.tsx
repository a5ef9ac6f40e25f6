import { useStore } from '../kit/use-store.ts';
import type { OwnMedia } from './own-media.ts';

const BARS = [1, 2, 3, 4, 5] as const;

/** Five bars that follow the voice, on the logarithmic scale that ears have. */
export function MicrophoneMeter({ media }: { media: OwnMedia }) {
  const { value } = useStore(media.level);
  const loudness = value > 0 ? Math.max(0, 1 + Math.log10(value) / 2.5) : 0;
  const lit = Math.round(loudness * BARS.length);
  return (
    <span className="meter" role="img" aria-label="Level of your microphone">
      {BARS.map((bar) => (
        <span key={bar} className="meter-bar" data-lit={bar <= lit} />
      ))}
    </span>
  );
}
