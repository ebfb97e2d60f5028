//! gunicorn: what it runs with, out of its command line, `GUNICORN_CMD_ARGS`, environment and configuration file, each
//! setting with its source; and what to think of it.
//!
//! gunicorn reads its command line with Python's `argparse`, so this module does the same for every release from 20.1
//! to 27. What cannot be known without running Python is unknown, never assumed.

mod arguments;
mod command;
mod control;
mod exposure;
mod location;
mod number;
mod observation;
mod options;
mod python;
mod setting;
mod settings;
mod trust;
mod verdict;
mod words;

pub use command::{Command, Role, command, of_first_process, role};
pub use exposure::judge as judge_exposure;
pub use location::{Location, changes_folder, location};
pub use observation::{Network, Observation, Published, Subnet, Trouble};
pub use options::Version;
pub use setting::{Name, Reading, Source, Value};
pub use settings::{Evidence, File, Settings};
pub use trust::{judge as judge_trust, needs_version};
pub use verdict::{Expected, judge as judge_settings, trouble};
