pub(crate) mod acknowledge;
pub(crate) mod get;
pub(crate) mod list;
