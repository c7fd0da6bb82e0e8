import { Dialog } from '#/ui/Dialog.tsx'
import { Kbd } from '#/ui/Kbd.tsx'

const SHORTCUTS: readonly [keys: readonly string[], what: string][] = [
  [['/'], 'Search monitors'],
  [['j', 'k'], 'Next and previous monitor'],
  [['Enter'], 'Open the monitor'],
  [['n'], 'New monitor'],
  [['e'], 'Edit the open monitor'],
  [['p'], 'Pause or resume the open monitor'],
  [['g'], 'All monitors'],
  [['i'], 'Incidents'],
  [['s'], 'System'],
  [['?'], 'This help'],
]

export function ShortcutHelp({ open, onClose }: { open: boolean; onClose: () => void }) {
  return (
    <Dialog open={open} onClose={onClose} title="Keyboard">
      <dl className="mt-4 grid grid-cols-[auto_1fr] items-center gap-x-5 gap-y-2.5">
        {SHORTCUTS.map(([keys, what]) => (
          <div key={what} className="contents">
            <dt className="flex gap-1">
              {keys.map((key) => (
                <Kbd key={key}>{key}</Kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Dialog>
  )
}
