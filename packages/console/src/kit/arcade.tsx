import { useId } from 'react';

/** Arches along the foot of the quiet pages. Decoration only. */
export function Arcade() {
  const id = useId();
  return (
    <svg className="arcade" aria-hidden="true">
      <pattern id={id} width="150" height="120" patternUnits="userSpaceOnUse">
        <path d="M8 122V75a67 67 0 0 1 134 0v47" />
        <path d="M26 122V75a49 49 0 0 1 98 0v47" />
        <path d="M0 1.5h150" />
      </pattern>
      <rect width="100%" height="120" fill={`url(#${id})`} stroke="none" />
    </svg>
  );
}
