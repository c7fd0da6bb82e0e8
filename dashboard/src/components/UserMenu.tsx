import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'

import { api, unwrap } from '#/api/client.ts'
import { meQuery } from '#/api/queries.ts'
import { setTheme, type Theme, useTheme } from '#/lib/theme.ts'
import {
  AutoThemeIcon,
  BookIcon,
  CheckIcon,
  KeyboardIcon,
  LogOutIcon,
  MoonIcon,
  SunIcon,
} from '#/ui/icons.tsx'
import { Menu, MenuItem, MenuNote, MenuSeparator } from '#/ui/Menu.tsx'
import { AccountButton } from './Account.tsx'

const THEMES: readonly { value: Theme; label: string; icon: React.ReactNode }[] = [
  { value: 'system', label: 'As the system', icon: <AutoThemeIcon /> },
  { value: 'light', label: 'Light', icon: <SunIcon /> },
  { value: 'dark', label: 'Dark', icon: <MoonIcon /> },
]

/** Mounted by the press that asks for it, hence open from the start. */
export function UserMenu({ onHelp, compact }: { onHelp: () => void; compact: boolean | undefined }) {
  const me = useQuery(meQuery).data
  const theme = useTheme()
  const logout = useLogout()
  return (
    <Menu defaultOpen trigger={<AccountButton compact={compact} />} side={compact ? 'bottom' : 'top'}>
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
