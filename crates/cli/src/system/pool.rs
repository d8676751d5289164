//! Runs several tasks in parallel, started in order.

use std::sync::Mutex;
use std::thread;

/// Calls `work` for each item in up to `jobs` threads, and returns the results in the order of the
/// items.
pub(crate) fn each<I: Sync, T: Send>(
    jobs: usize,
    items: &[I],
    work: &(dyn Fn(&I) -> T + Sync),
) -> Vec<T> {
    let next = Mutex::new(items.iter().enumerate());
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let worker = || {
        loop {
            let item = lock(&next).next();
            let Some((index, item)) = item else { break };
            let result = work(item);
            lock(&done).push((index, result));
        }
    };
    thread::scope(|scope| {
        for _ in 0..jobs.clamp(1, items.len().max(1)) {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_by_key(|(index, _)| *index);
    done.into_iter().map(|(_, result)| result).collect()
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::each;
    use std::sync::Barrier;

    #[test]
    fn items_run_in_parallel_and_results_are_in_order() {
        let barrier = Barrier::new(3);
        let twice = |item: &u32| {
            barrier.wait();
            item * 2
        };
        assert_eq!(each(3, &[1, 2, 3, 4, 5, 6], &twice), [2, 4, 6, 8, 10, 12]);
        assert_eq!(each(8, &[] as &[u32], &twice), [] as [u32; 0]);
    }
}
