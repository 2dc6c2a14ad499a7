//! The allocator of a guest: what it allocates first lies in its own data.
//!
//! Rust's allocator for WebAssembly gets its first byte by `memory.grow`. The
//! host has to open pages for that, and to close them before the next instance:
//! two system calls that interrupt every processor, for a dialogue that needs a
//! few kilobytes (measured: a third of a dialogue's time).

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::{Cell, UnsafeCell};

/// Hands out the bytes of its own array one after the other, and starts again
/// when none is in use. What does not fit is the system's to allocate.
///
/// An instance that keeps something for good uses the array up once; after that
/// it is as if there were none.
#[repr(C, align(16))]
pub struct Arena<const SIZE: usize> {
    bytes: UnsafeCell<[u8; SIZE]>,
    used: Cell<usize>,
    live: Cell<usize>,
}

// SAFETY: a guest has one thread; the contract's worlds know no others. It is
// the allocator of nothing else.
#[cfg(target_family = "wasm")]
unsafe impl<const SIZE: usize> Sync for Arena<SIZE> {}

impl<const SIZE: usize> Arena<SIZE> {
    /// An arena with nothing in it; all zeros, so that it takes no room in a file.
    // No `Default`: it is made once, in a static.
    pub const fn new() -> Arena<SIZE> {
        Arena { bytes: UnsafeCell::new([0; SIZE]), used: Cell::new(0), live: Cell::new(0) }
    }

    fn base(&self) -> *mut u8 {
        self.bytes.get().cast()
    }

    /// Where in the array `pointer` is.
    fn offset(&self, pointer: *mut u8) -> Option<usize> {
        let offset = pointer.addr().checked_sub(self.base().addr())?;
        (offset < SIZE).then_some(offset)
    }

    /// The place of the next allocation, if it fits.
    fn place(&self, layout: Layout) -> Option<usize> {
        let base = self.base().addr();
        let start = (base + self.used.get()).checked_next_multiple_of(layout.align())? - base;
        let end = start.checked_add(layout.size()).filter(|end| *end <= SIZE)?;
        self.used.set(end);
        self.live.set(self.live.get() + 1);
        Some(start)
    }
}

// SAFETY: what is handed out lies within the array, is aligned, and overlaps
// nothing that is still in use: `used` goes back only past the last allocation,
// or when there is none. Everything else is the system allocator's.
unsafe impl<const SIZE: usize> GlobalAlloc for Arena<SIZE> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match self.place(layout) {
            // SAFETY: the offset is within the array.
            Some(start) => unsafe { self.base().add(start) },
            // SAFETY: the caller's promise about the layout.
            None => unsafe { System.alloc(layout) },
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let Some(start) = self.offset(pointer) else {
            // SAFETY: whatever is not in the array came from the system.
            return unsafe { System.dealloc(pointer, layout) };
        };
        self.live.set(self.live.get() - 1);
        if self.live.get() == 0 {
            self.used.set(0);
        } else if start + layout.size() == self.used.get() {
            self.used.set(start);
        }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let Some(start) = self.offset(pointer) else {
            // SAFETY: whatever is not in the array came from the system.
            return unsafe { System.realloc(pointer, layout, size) };
        };
        let is_last = start + layout.size() == self.used.get();
        if is_last && start.checked_add(size).is_some_and(|end| end <= SIZE) {
            self.used.set(start + size);
            return pointer;
        }
        if size <= layout.size() {
            return pointer;
        }
        // SAFETY: the caller promises that the new size is a valid one, both
        // places are as large as what is copied, and they do not overlap.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(pointer, layout.size());
                self.dealloc(pointer, layout);
            }
            moved
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).expect("a valid layout")
    }

    #[test]
    fn allocations_are_aligned_and_apart_and_the_array_is_used_again() {
        let arena = Arena::<256>::new();
        let (small, wide) = (layout(3, 1), layout(16, 16));
        for _ in 0..1000 {
            // SAFETY: each is freed with its own layout.
            unsafe {
                let (a, b) = (arena.alloc(small), arena.alloc(wide));
                assert!(arena.offset(a).is_some() && arena.offset(b).is_some());
                assert_eq!(b.addr() % 16, 0);
                assert!(b.addr() >= a.addr() + 3);
                arena.dealloc(a, small);
                arena.dealloc(b, wide);
            }
        }
        assert_eq!((arena.used.get(), arena.live.get()), (0, 0));
    }

    #[test]
    fn what_does_not_fit_comes_from_elsewhere_and_goes_back_there() {
        let arena = Arena::<64>::new();
        let (fits, large) = (layout(60, 1), layout(61, 1));
        // SAFETY: each is freed with its own layout.
        unsafe {
            let (a, b) = (arena.alloc(fits), arena.alloc(large));
            assert!(arena.offset(a).is_some() && arena.offset(b).is_none());
            let b = arena.realloc(b, large, 100);
            arena.dealloc(b, layout(100, 1));
            arena.dealloc(a, fits);
        }
    }

    #[test]
    fn growing_keeps_the_bytes_in_place_where_it_can_and_moves_them_where_not() {
        let arena = Arena::<64>::new();
        let one = layout(4, 4);
        // SAFETY: each is used within its size and freed with its own layout.
        unsafe {
            let a = arena.alloc(one);
            a.copy_from_nonoverlapping([1, 2, 3, 4].as_ptr(), 4);
            assert_eq!(arena.realloc(a, one, 8), a, "the last one");
            let b = arena.alloc(one);
            let moved = arena.realloc(a, layout(8, 4), 16);
            assert_ne!(moved, a);
            let far = arena.realloc(moved, layout(16, 4), 1000);
            assert!(arena.offset(far).is_none());
            assert_eq!(std::slice::from_raw_parts(far, 4), [1, 2, 3, 4]);
            arena.dealloc(far, layout(1000, 4));
            arena.dealloc(b, one);
        }
        assert_eq!(arena.live.get(), 0);
    }
}
