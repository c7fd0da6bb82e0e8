import { useQuery } from '@tanstack/react-query'

import { channelsQuery } from '#/api/queries.ts'
import { channelKind } from '#/lib/words.ts'
import { Checkbox } from '#/ui/Input.tsx'
import { NobodyTold } from '../NobodyTold.tsx'

interface Props {
  chosen: readonly string[]
  onChange: (chosen: string[]) => void
}

/** Through which channels people are told; none chosen means the workspace's default ones, as in the API. */
export function ChannelFields({ chosen, onChange }: Props) {
  const channels = useQuery(channelsQuery).data
  // Where they cannot be read, what is chosen stays as it is.
  if (!channels) return null
  const gone = chosen.filter((name) => !channels.some((channel) => channel.name === name))
  if (channels.length + gone.length === 0) return <NobodyTold />
  const defaults = channels.filter((channel) => channel.default).map((channel) => channel.name)
  // A name that stands for no channel tells nobody; without another one the default channels do.
  const none = gone.length === chosen.length
  const set = (name: string, on: boolean) =>
    onChange(on ? [...chosen, name] : chosen.filter((one) => one !== name))
  return (
    <>
      <fieldset className="flex flex-col gap-2.5">
        <legend className="mb-1.5 text-sm font-medium">Channels</legend>
        {channels.map(({ name, kind }) => (
          <Checkbox
            key={name}
            label={name}
            hint={channelKind(kind)}
            checked={chosen.includes(name)}
            onChange={(event) => set(name, event.target.checked)}
          />
        ))}
        {gone.map((name) => (
          <Checkbox
            key={name}
            label={name}
            hint="Does not exist any more."
            checked
            onChange={() => set(name, false)}
          />
        ))}
        {none && defaults.length > 0 && (
          <p className="text-xs text-ink-faint">None chosen: told through {defaults.join(' and ')}.</p>
        )}
      </fieldset>
      {none && defaults.length === 0 && <NobodyTold />}
    </>
  )
}
