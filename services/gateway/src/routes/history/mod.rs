pub(crate) mod checks;
pub(crate) mod timeline;
pub(crate) mod uptime;
