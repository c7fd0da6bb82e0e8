pub(crate) mod doc;
pub(crate) mod health;
