import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'

import { api, unwrap } from '#/api/client.ts'
import { meQuery } from '#/api/queries.ts'
import { setTheme, type Theme, useTheme } from '#/lib/theme.ts'
import { Button } from '#/ui/Button.tsx'
import {
  AutoThemeIcon,
  BookIcon,
  CheckIcon,
  DownIcon,
  KeyboardIcon,
  LogOutIcon,
  MoonIcon,
  SunIcon,
} from '#/ui/icons.tsx'
import { Menu, MenuItem, MenuNote, MenuSeparator } from '#/ui/Menu.tsx'

const THEMES: readonly { value: Theme; label: string; icon: React.ReactNode }[] = [
  { value: 'system', label: 'As the system', icon: <AutoThemeIcon /> },
  { value: 'light', label: 'Light', icon: <SunIcon /> },
  { value: 'dark', label: 'Dark', icon: <MoonIcon /> },
]

export function UserMenu({ onHelp, compact }: { onHelp: () => void; compact?: boolean }) {
  const me = useQuery(meQuery).data
  const theme = useTheme()
  const logout = useLogout()
  const initial = (me?.user.name || me?.user.email || '?').charAt(0).toUpperCase()
  const avatar = (
    <span className="grid size-7 shrink-0 place-items-center rounded-full bg-accent-soft text-xs font-semibold text-accent">
      {initial}
    </span>
  )
  const trigger = compact ? (
    <Button tone="quiet" square aria-label="Account and settings">
      {avatar}
    </Button>
  ) : (
    <button
      type="button"
      aria-label={`Account and settings: ${me?.user.name || me?.user.email}`}
      className="flex items-center gap-2.5 rounded-control px-2 py-1.5 text-left transition-colors hover:bg-hover"
    >
      {avatar}
      <span className="min-w-0 flex-1">
        <span className="block truncate text-sm leading-5 font-medium">
          {me?.user.name || me?.user.email}
        </span>
        <span className="block truncate text-xs text-ink-faint">{me?.workspace.name}</span>
      </span>
      <DownIcon width={14} height={14} className="rotate-180 text-ink-faint" />
    </button>
  )
  return (
    <Menu trigger={trigger} side={compact ? 'bottom' : 'top'}>
      <MenuNote>{me?.user.email}</MenuNote>
      <MenuSeparator />
      {THEMES.map((one) => (
        <MenuItem key={one.value} icon={one.icon} onSelect={() => setTheme(one.value)}>
          {one.label}
          {theme === one.value && (
            <CheckIcon
              className="ml-auto text-ink-faint"
              aria-label="chosen"
              aria-hidden={false}
              role="img"
            />
          )}
        </MenuItem>
      ))}
      <MenuSeparator />
      <MenuItem icon={<KeyboardIcon />} onSelect={onHelp}>
        Keyboard shortcuts
      </MenuItem>
      <MenuItem icon={<BookIcon />} onSelect={() => window.location.assign('/reference')}>
        API reference
      </MenuItem>
      <MenuSeparator />
      <MenuItem icon={<LogOutIcon />} onSelect={() => logout.mutate()}>
        Log out
      </MenuItem>
    </Menu>
  )
}

function useLogout() {
  const queryClient = useQueryClient()
  const navigate = useNavigate()
  return useMutation({
    mutationFn: () => unwrap(api.POST('/api/logout')),
    onSettled: async () => {
      await navigate({ to: '/login', search: {} })
      queryClient.clear()
    },
  })
}
