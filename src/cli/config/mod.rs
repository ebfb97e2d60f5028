//! The configuration: found, read with all its mistakes, explained and shown.
//!
//! The vocabulary is written once, in [`table`]. [`parse`] is pure; [`load`] finds the file.

mod build;
mod contradictions;
pub mod diagnostic;
mod examine;
mod hide;
mod load;
pub mod model;
mod nearest;
mod read;
mod reference;
mod schema;
mod secrets;
mod show;
mod syntax;
pub mod table;
pub mod value;

#[cfg(test)]
mod tests;

use std::path::Path;

pub use diagnostic::Diagnostic;
pub use examine::check;
pub use load::{Found, Loaded, load};
pub use model::Model;
pub use nearest::nearest;
pub use reference::reference;
pub use schema::schema;
pub use secrets::secrets;
pub use show::{json, show};

/// Reads a configuration without touching anything else; relative paths start at the folder of `file_name`.
///
/// # Errors
///
/// Everything that is wrong with it, in the order of the file.
pub fn parse(text: &str, file_name: &str) -> Result<Model, Vec<Diagnostic>> {
    let base = Path::new(file_name).parent().unwrap_or(Path::new(""));
    let document = read::read(text, file_name, base);
    if !document.problems.is_empty() {
        return Err(document.problems);
    }
    build::build(&document.tree).ok_or_else(|| vec![mismatch(text, file_name)])
}

/// The vocabulary and the model disagree: a bug of mainstay, said as such.
fn mismatch(text: &str, file_name: &str) -> Diagnostic {
    let message = "mainstay found nothing wrong and still can not use it: please report this".into();
    let problem = diagnostic::Problem { span: 0..0, message, suggestion: None };
    diagnostic::Source::new(file_name, text, std::iter::once(0..text.len()).collect()).locate(problem)
}
