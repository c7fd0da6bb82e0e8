//! Bare loops: the same work as the product does, with nothing of the product in it. What they cost is
//! what the machine and the libraries cost; each bar is a share of one of them.

pub mod fresh;
pub mod heap;
pub mod reads;
pub mod rows;
