//! `mainstay init`: a first configuration from what is found on the machine.
//!
//! [`look`] observes, [`compose()`] writes the text, [`findings`] tell what was found and from where. Whatever is found,
//! the text is a configuration that our own reader accepts: what it would not is left out, with a comment.

mod compose;
mod found;
mod look;
mod report;
#[cfg(test)]
mod tests;

pub use compose::compose;
pub use found::{At, Destination, Engine, Found, Gunicorn, Lineage, Nginx, Region};
pub use look::look;
pub use report::findings;
