//! STUB
use super::Recipe;
use crate::{error::Result, system::Cancel};
/// x
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Survey {
    /// x
    pub metadata: [u8; 32],
}
/// x
pub fn survey(recipe: &Recipe, _cancel: &Cancel, mut each: impl FnMut(&[u8])) -> Result<Survey> {
    fn walk(root: &std::path::Path, dir: &std::path::Path, each: &mut impl FnMut(&[u8])) {
        for e in std::fs::read_dir(dir).into_iter().flatten().flatten() {
            let p = e.path();
            if p.ends_with(".git") {
                continue;
            }
            each(std::os::unix::ffi::OsStrExt::as_bytes(p.strip_prefix(root).unwrap_or(&p).as_os_str()));
            if p.is_dir() {
                walk(root, &p, each)
            }
        }
    }
    walk(&recipe.root, &recipe.root, &mut each);
    Ok(Survey::default())
}
