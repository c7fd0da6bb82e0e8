//! Keys for people.

use std::fmt::Write as _;

use service::Error;
use users::keys::{Census, Lost};

/// Names shown where a list is not the point.
const SHOWN: usize = 20;

/// How many rows are kept in which way, and what to do about it.
pub fn text(census: &Census) -> String {
    let mut page = format!("{:<28}{:>10}{:>10}\n", "", "MONITORS", "CHANNELS");
    let (monitors, channels) = (&census.monitors, &census.channels);
    for (what, of_monitors, of_channels) in [
        ("sealed under the first key", monitors.current, channels.current),
        ("under the second", monitors.former, channels.former),
        ("under neither", monitors.neither, channels.neither),
        ("in clear, to be sealed", monitors.clear, channels.clear),
        ("nothing to seal", monitors.nothing_to_seal, channels.nothing_to_seal),
        ("not readable", monitors.unreadable, channels.unreadable),
    ] {
        let _ = writeln!(page, "{what:<28}{of_monitors:>10}{of_channels:>10}");
    }
    for (names, what, then) in [
        (
            census.lost.iter().map(named).collect::<Vec<_>>(),
            "No key opens the secrets of",
            "SECRET_KEY=first,second with the key they were sealed with as the second brings them back; `upmesh keys forget` gives them up",
        ),
        (
            census.lost_channels.clone(),
            "No key opens the settings of the channels",
            "they come from the environment, and users seals them anew when it starts",
        ),
    ] {
        if !names.is_empty() {
            let more = names.len().saturating_sub(SHOWN);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let names = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
            let _ = writeln!(page, "\n{what} {names}{more}: {then}.");
        }
    }
    if monitors.former + monitors.clear + channels.former > 0 {
        page.push_str("\n`upmesh keys reseal` seals everything under the first key.\n");
    } else if census.two_keys && monitors.neither == 0 {
        page.push_str("\nThe second key is needed no more, once every users service runs with this SECRET_KEY.\n");
    }
    page
}

/// Whose secrets would be given up.
pub fn plan(census: &Census) -> String {
    if census.lost.is_empty() {
        return "Nothing to forget: every secret of a monitor opens.\n".to_owned();
    }
    let mut page = String::new();
    for lost in &census.lost {
        let _ = writeln!(page, "  - forget  {}", named(lost));
    }
    let _ = writeln!(
        page,
        "\n{} to pause, with {} in the place of the keys until somebody enters them again. This cannot be undone.",
        monitors(census.lost.len() as u64),
        model::monitor::MASK
    );
    if census.monitors.current + census.monitors.former == 0 {
        page.push_str("SECRET_KEY opens no monitor at all: is it the one that users runs with?\n");
    }
    page
}

/// Fails where something stays shut: users would not start.
pub fn judge(census: &Census) -> Result<(), Error> {
    match census.lost.len() as u64 {
        0 => Ok(()),
        lost => Err(Error::msg(format!("users does not start while no key opens {}", monitors(lost)))),
    }
}

pub fn monitors(count: u64) -> String {
    if count == 1 { "1 monitor".to_owned() } else { format!("{count} monitors") }
}

pub fn channels(count: u64) -> String {
    if count == 1 { "1 channel".to_owned() } else { format!("{count} channels") }
}

fn named(lost: &Lost) -> String {
    let name: String = lost.name.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    format!("{name} ({})", lost.id)
}

#[cfg(test)]
mod tests {
    use users::keys::Counts;

    use super::*;

    #[test]
    fn says_what_is_and_what_to_do() {
        let fine = Census { monitors: Counts { current: 2, nothing_to_seal: 40, ..Counts::default() }, ..Census::default() };
        let shown = text(&fine);
        assert!(shown.contains("sealed under the first key           2         0\n"), "{shown}");
        assert!(shown.ends_with("not readable                         0         0\n"), "nothing to do: {shown}");
        assert!(judge(&fine).is_ok());

        let changing = Census { two_keys: true, ..fine };
        assert!(text(&changing).contains("second key is needed no more"));
        let begun = Census { channels: Counts { former: 1, ..Counts::default() }, ..changing };
        let shown = text(&begun);
        assert!(shown.contains("keys reseal") && !shown.contains("no more"), "{shown}");
    }

    #[test]
    fn the_lost_are_named_and_the_plan_doubts_a_key_that_opens_nothing() {
        let lost = |n: u64| Lost { id: uuid::Uuid::from_u128(n.into()).into(), workspace: uuid::Uuid::nil().into(), name: format!("m{n}") };
        let mut census = Census { lost: (0..25).map(lost).collect(), lost_channels: vec!["Slack".to_owned()], ..Census::default() };
        census.monitors.neither = 25;
        let shown = text(&census);
        for part in ["m19 (0000", "and 5 more: SECRET_KEY=first,second", "channels Slack: they come from the environment"] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(judge(&census).is_err_and(|error| error.to_string().contains("25 monitors")));
        let shown = plan(&census);
        assert!(shown.contains("m24 (0000") && shown.contains("25 monitors to pause, with __masked__"), "{shown}");
        assert!(shown.contains("opens no monitor at all"), "{shown}");
        census.monitors.current = 1;
        assert!(!plan(&census).contains("opens no monitor at all"));
        assert!(plan(&Census::default()).contains("Nothing to forget"));
    }
}
