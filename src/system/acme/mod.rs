//! What an ACME authority says, and what it would see: asked over our own connections, without an account.

mod probe;
mod reach;
mod suggestion;
mod token;

pub use probe::probe;
pub use reach::reach;
pub use suggestion::{LETS_ENCRYPT, STAGING, Suggestion, suggestion};
pub use token::Token;
