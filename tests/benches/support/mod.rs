//! What benches have in common that hold one server beside another: a client, the processes, the table.

pub(crate) mod client;
pub(crate) mod figures;
pub(crate) mod processes;
