//! Text for Slack: escaped, so that nobody's monitor mentions everybody, and within Block Kit's limits.

/// Slack's limits, in UTF-16 units to be on the safe side.
pub const HEADER: usize = 150;
pub const SECTION: usize = 3000;
pub const FIELD: usize = 2000;
pub const FALLBACK: usize = 3000;

/// Escapes `& < >` (the only characters Slack interprets), drops what could reorder or break a line,
/// and cuts to `max` units without cutting an escape in half.
pub fn escape(text: &str, max: usize) -> String {
    let mut escaped = String::new();
    let mut units = 0;
    for c in text.chars() {
        let piece = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            // Bidirectional overrides and isolates; they can make one name look like another.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => continue,
            c if c.is_control() => " ",
            _ => "",
        };
        let length = if piece.is_empty() { c.len_utf16() } else { piece.len() };
        // One unit is kept for the ellipsis.
        if units + length > max.saturating_sub(1) {
            escaped.push('…');
            return escaped;
        }
        units += length;
        if piece.is_empty() { escaped.push(c) } else { escaped.push_str(piece) }
    }
    escaped
}

/// As code: no links are made of it, and no markup inside is read.
pub fn code(text: &str, max: usize) -> String {
    format!("`{}`", escape(&text.replace('`', "'"), max.saturating_sub(2)))
}

/// An instant that each reader sees in their own time zone.
pub fn instant(ms: model::Millis) -> String {
    let seconds = ms.div_euclid(1000);
    let utc = chrono::DateTime::from_timestamp(seconds, 0).unwrap_or_default().format("%Y-%m-%d %H:%M:%S UTC");
    format!("<!date^{seconds}^{{date_short_pretty}} {{time_secs}}|{utc}>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_mention_anybody_or_break_out() {
        assert_eq!(escape("<!channel> & <@U1>", 100), "&lt;!channel&gt; &amp; &lt;@U1&gt;");
        assert_eq!(escape("a\nb\u{202e}c", 100), "a bc");
        assert_eq!(code("a`b", 100), "`a'b`");
    }

    #[test]
    fn cutting_respects_the_limit_and_the_escapes() {
        for max in 1..40 {
            let cut = escape(&"<&😀x".repeat(20), max);
            assert!(cut.encode_utf16().count() <= max, "{cut} is longer than {max}");
            assert!(!cut.contains('<') && !cut.trim_end_matches('…').ends_with("&l"));
        }
        assert_eq!(escape("short", 150), "short");
    }
}
