import type { ReactNode, SVGProps } from 'react'

/** One stroke weight, one grid of 20: a set small enough to own. Decorative unless given a title. */
function icon(name: string, shape: ReactNode) {
  function Icon(props: SVGProps<SVGSVGElement>) {
    return (
      <svg
        viewBox="0 0 20 20"
        width="18"
        height="18"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.5"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
        {...props}
      >
        {shape}
      </svg>
    )
  }
  Icon.displayName = name
  return Icon
}

export const MonitorsIcon = icon('MonitorsIcon', <path d="M2.5 10.5h3l2-5.5 4 10 2.2-6.2 1 1.7h2.8" />)
export const IncidentsIcon = icon(
  'IncidentsIcon',
  <>
    <path d="M10 3.2 17.3 16a.9.9 0 0 1-.8 1.3h-13a.9.9 0 0 1-.8-1.3L10 3.2Z" />
    <path d="M10 8.3v3.6M10 14.4v.1" />
  </>,
)
export const SystemIcon = icon(
  'SystemIcon',
  <>
    <circle cx="4.5" cy="6" r="2" />
    <circle cx="15.5" cy="6" r="2" />
    <circle cx="10" cy="15" r="2" />
    <path d="M6.5 6h7M5.6 7.7l3.3 5.6M14.4 7.7l-3.3 5.6" />
  </>,
)
export const PlusIcon = icon('PlusIcon', <path d="M10 4.5v11M4.5 10h11" />)
export const SearchIcon = icon(
  'SearchIcon',
  <>
    <circle cx="9" cy="9" r="5" />
    <path d="m13 13 3.5 3.5" />
  </>,
)
export const PauseIcon = icon('PauseIcon', <path d="M7.5 5v10M12.5 5v10" />)
export const PlayIcon = icon('PlayIcon', <path d="M6.5 4.6v10.8L15.5 10 6.5 4.6Z" />)
export const EditIcon = icon(
  'EditIcon',
  <path d="m4 16 .7-3.2L13 4.5l2.5 2.5-8.3 8.3L4 16Zm7.3-9.8 2.5 2.5" />,
)
export const TrashIcon = icon(
  'TrashIcon',
  <path d="M3.5 5.5h13M8 5.5V3.8h4v1.7M5.3 5.5l.7 11h8l.7-11M8.5 8.7v4.6M11.5 8.7v4.6" />,
)
export const MoreIcon = icon('MoreIcon', <path d="M4.5 10h.01M10 10h.01M15.5 10h.01" strokeWidth="2.4" />)
export const BackIcon = icon('BackIcon', <path d="M12 4.5 6.5 10l5.5 5.5" />)
export const ChevronIcon = icon('ChevronIcon', <path d="m7.5 5 5 5-5 5" />)
export const DownIcon = icon('DownIcon', <path d="m5 7.5 5 5 5-5" />)
export const CloseIcon = icon('CloseIcon', <path d="m5.5 5.5 9 9M14.5 5.5l-9 9" />)
export const CheckIcon = icon('CheckIcon', <path d="m4.5 10.5 3.7 3.7 7.3-8" />)
export const SunIcon = icon(
  'SunIcon',
  <>
    <circle cx="10" cy="10" r="3.2" />
    <path d="M10 2.5v1.8M10 15.7v1.8M2.5 10h1.8M15.7 10h1.8M4.7 4.7 6 6M14 14l1.3 1.3M4.7 15.3 6 14M14 6l1.3-1.3" />
  </>,
)
export const MoonIcon = icon('MoonIcon', <path d="M16.5 11.7A6.8 6.8 0 0 1 8.3 3.5a6.8 6.8 0 1 0 8.2 8.2Z" />)
export const AutoThemeIcon = icon(
  'AutoThemeIcon',
  <>
    <circle cx="10" cy="10" r="6.5" />
    <path d="M10 3.5a6.5 6.5 0 0 1 0 13Z" fill="currentColor" stroke="none" />
  </>,
)
export const UserIcon = icon(
  'UserIcon',
  <>
    <circle cx="10" cy="7" r="3" />
    <path d="M4 16.5c.6-3 3-4.5 6-4.5s5.4 1.5 6 4.5" />
  </>,
)
export const LogOutIcon = icon('LogOutIcon', <path d="M8 3.5H4.5v13H8M12.5 6.5 16 10l-3.5 3.5M16 10H8" />)
export const KeyboardIcon = icon(
  'KeyboardIcon',
  <>
    <rect x="2" y="5" width="16" height="10" rx="2" />
    <path d="M5 8h.01M8.3 8h.01M11.6 8h.01M15 8h.01M6 12h8" />
  </>,
)
export const ExternalIcon = icon('ExternalIcon', <path d="M8 5H4.5v10.5H15V12M11 4.5h4.5V9M15.2 4.8 9 11" />)
export const BookIcon = icon(
  'BookIcon',
  <path d="M10 5.5C8.5 4.3 6 4 3 4v11c3 0 5.5.3 7 1.5 1.5-1.2 4-1.5 7-1.5V4c-3 0-5.5.3-7 1.5Zm0 0v11" />,
)
