//! Crash points: named places between an effect and its record, where a fault test lets the process die.
//!
//! They exist only in builds with the feature `failpoints`, which nothing but the tests turn on, and even
//! there they do nothing until `FAILPOINTS` arms them: `alerter::sent=2*off->1*return` dies at the third pass.

/// Marks a place where the process may die at once: nothing flushed, nothing finished. Costs nothing,
/// and is not even there, without the feature.
#[cfg(not(feature = "failpoints"))]
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {};
}

#[cfg(feature = "failpoints")]
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {
        $crate::crash::pass($name)
    };
}

/// What a process that died at a point leaves as the last line of its log.
#[cfg(feature = "failpoints")]
pub const LAST_WORDS: &str = "died at the crash point";

/// Dies here if the point is armed to `return`; sleeps, panics or pauses if it is armed to that.
#[cfg(feature = "failpoints")]
pub fn pass(name: &str) {
    fail::fail_point!(name, |_| {
        #[expect(clippy::print_stderr, reason = "the test that armed the point reads that it was met")]
        {
            eprintln!("{LAST_WORDS} {name}");
        }
        std::process::abort()
    });
}

/// Arms what `FAILPOINTS` names, for the life of the process.
#[cfg(feature = "failpoints")]
pub(crate) fn arm() {
    std::mem::forget(fail::FailScenario::setup());
}
