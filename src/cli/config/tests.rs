//! What holds for the configuration as a whole: the vocabulary, the example, the wrong inputs.

mod discovery;
mod example;
mod mistakes;
mod properties;
mod shown;
