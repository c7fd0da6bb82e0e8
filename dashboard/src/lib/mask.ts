/** What the API puts in place of a value that its reader may not see (`model::monitor::MASK`). Sent back, it is refused. */
export const MASK = '__masked__'

export const isMasked = (text: string): boolean => text.includes(MASK)

/** As people recognise it. Never for what may be sent back: dots would be taken for the value. */
export const dotted = (text: string): string => text.replaceAll(MASK, '••••')
