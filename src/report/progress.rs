//! How a job tells that it is alive, without knowing a terminal.

/// Receives signs of life. The terminal's implementation lives in `cli`; jobs only call it.
pub trait Progress: Send + Sync {
    /// A phase begins: `label` in a few words, `total` units when known (sites, bytes).
    fn begin(&self, label: &str, total: Option<u64>);
    /// So many more units are done.
    fn advance(&self, units: u64);
    /// The phase is over.
    fn end(&self);
    /// Something the operator should see now, although the run goes on.
    fn say(&self, line: &str);
}

/// Says nothing.
pub struct Silent;

impl Progress for Silent {
    fn begin(&self, _label: &str, _total: Option<u64>) {}
    fn advance(&self, _units: u64) {}
    fn end(&self) {}
    fn say(&self, _line: &str) {}
}
