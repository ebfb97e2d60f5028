//! Who runs this process.

/// The name of the effective user; the number where the machine knows no name.
pub fn name() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let known = uzers::get_user_by_uid(uid).and_then(|user| user.name().to_str().map(str::to_owned));
    known.unwrap_or_else(|| uid.to_string())
}
