//! What an ACME authority says, and what it would see: asked over our own connections, without an account.

mod probe;
mod suggestion;
mod token;

pub use probe::probe;
pub use suggestion::{LETS_ENCRYPT, Suggestion, suggestion};
pub use token::Token;
