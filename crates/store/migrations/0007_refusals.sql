-- Since when a channel refuses a delivery without a break; absent where its last attempt was not refused. A refusal is borne
-- for an hour, counted from the first in a row, not from when the message was made.
ALTER TABLE deliveries ADD COLUMN refused_since timestamptz;
