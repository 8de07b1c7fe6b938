#[cfg(test)] mod empty{}
