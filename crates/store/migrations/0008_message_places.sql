-- Under which name the channel was set (Slack: `#ops`) when a message told its own id, message_channel. The id stands for that
-- name only: where another is set by now, messages go there.
ALTER TABLE deliveries ADD COLUMN message_set text;
