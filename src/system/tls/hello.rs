//! Hand-made ClientHello messages for protocol versions that rustls cannot speak.
