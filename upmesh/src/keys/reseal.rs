//! `upmesh keys reseal`.

use service::Error;
use users::keys::Keys;

use super::show;
use crate::output;

pub async fn run(keys: &Keys) -> Result<(), Error> {
    let done = keys.reseal().await?;
    output::print(&format!("{} and {} sealed anew.\n\n", show::monitors(done.monitors), show::channels(done.channels)));
    // Looked at once more: a users service may have sealed something under its own first key meanwhile.
    let census = keys.census().await?;
    output::print(&show::text(&census));
    show::judge(&census)?;
    if census.monitors.former + census.monitors.clear + census.channels.former > 0 {
        return Err(Error::msg(
            "something was written meanwhile by a users service that seals otherwise: roll all of them out with this SECRET_KEY, then run it again",
        ));
    }
    Ok(())
}
