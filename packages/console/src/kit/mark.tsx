/** The mark: a doorway in a doorway, as in the walk around a cloister. */
export function Mark({ size = 28 }: { size?: number }) {
  return (
    <svg className="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path d="M4 28V16a12 12 0 0 1 24 0v12" />
      <path d="M10 28V16a6 6 0 0 1 12 0v12" />
      <path d="M16 28V16.5" />
    </svg>
  );
}

/** The mark with the name. */
export function Brand() {
  return (
    <span className="brand">
      <Mark />
      <span className="brand-name">Cloister</span>
    </span>
  );
}
