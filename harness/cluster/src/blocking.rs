//! Waiting for what is asynchronous in plain functions: rules of writes and decisions of kubelets that ask somebody outside.

use tokio::runtime::{Builder, Handle, RuntimeFlavor};

/// Waits for what is asynchronous without keeping others from their work, where there is more than one thread.
pub(crate) fn block<T: Send>(work: impl Future<Output = Result<T, String>> + Send) -> Result<T, String> {
    match Handle::try_current() {
        Ok(handle) if handle.runtime_flavor() == RuntimeFlavor::MultiThread => {
            tokio::task::block_in_place(|| handle.block_on(work))
        }
        _ => std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                let runtime =
                    Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
                runtime.block_on(work)
            });
            worker.join().unwrap_or_else(|_| Err("EOF".into()))
        }),
    }
}
