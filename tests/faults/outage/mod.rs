//! The outage of a standalone renewal in a world with a real engine, nginx, certbot and authority.

mod cases;
mod drive;
mod kills;
mod renewal;
