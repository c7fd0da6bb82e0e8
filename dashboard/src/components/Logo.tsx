/** Three pingers, one of them watching. */
export function Logo({ size = 28 }: { size?: number }) {
  return (
    <svg viewBox="0 0 32 32" width={size} height={size} aria-hidden="true">
      <rect width="32" height="32" rx="9" className="fill-ink" />
      <path
        d="M9.5 11 16 21.5 22.5 11z"
        fill="none"
        strokeWidth="2"
        strokeLinejoin="round"
        className="stroke-canvas opacity-45"
      />
      <circle cx="9.5" cy="11" r="3" className="fill-canvas" />
      <circle cx="22.5" cy="11" r="3" className="fill-canvas" />
      <circle cx="16" cy="21.5" r="3.6" className="fill-up" />
    </svg>
  )
}
