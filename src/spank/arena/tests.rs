use super::Arena;
use std::alloc::{GlobalAlloc, Layout};
use std::slice;

type Small = Arena<256>;

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

/// Allocates a piece and fills it with `byte`.
fn take(arena: &Small, layout: Layout, byte: u8) -> *mut u8 {
    // SAFETY: no test uses size 0.
    let piece = unsafe { arena.alloc(layout) };
    assert_eq!(piece.addr() % layout.align(), 0);
    // SAFETY: the piece has the size of the layout.
    unsafe { piece.write_bytes(byte, layout.size()) };
    piece
}

fn read(piece: *mut u8, size: usize) -> Vec<u8> {
    // SAFETY: `take` has initialized the piece.
    unsafe { slice::from_raw_parts(piece, size) }.to_vec()
}

#[test]
fn pieces_are_aligned_and_do_not_overlap() {
    let arena = Small::new();
    let layouts = [layout(3, 1), layout(8, 8), layout(1, 1), layout(16, 32)];
    let pieces: Vec<_> = (1..).zip(layouts).map(|(n, l)| (n, l, take(&arena, l, n))).collect();
    for (byte, layout, piece) in pieces {
        assert!(arena.place(piece).is_some());
        assert_eq!(read(piece, layout.size()), vec![byte; layout.size()]);
    }
}

/// Otherwise a panic could end the process: the unwinder may write to an exception with instructions
/// that need this alignment.
#[test]
fn structures_are_aligned_as_by_malloc() {
    let arena = Small::new();
    for size in [16, 24, 56] {
        take(&arena, layout(1, 1), 0);
        take(&arena, layout(8, 8), 0);
        assert_eq!(take(&arena, layout(size, 8), 0).addr() % 16, 0, "{size}");
    }
    // Strings are not aligned.
    let text = take(&arena, layout(33, 1), 0);
    assert_eq!(take(&arena, layout(33, 1), 0).addr() - text.addr(), 33);
}

#[test]
fn a_piece_that_does_not_fit_comes_from_malloc() {
    let arena = Small::new();
    let (half, rest) = (layout(200, 1), layout(57, 1));
    assert!(arena.place(take(&arena, half, 1)).is_some());
    let piece = take(&arena, rest, 2);
    assert!(arena.place(piece).is_none());
    // SAFETY: this allocator returned the piece for this layout.
    let longer = unsafe { arena.realloc(piece, rest, 100) };
    assert_eq!(read(longer, 57), [2; 57]);
    // SAFETY: as above, with the new size.
    unsafe { arena.dealloc(longer, layout(100, 1)) };
    assert!(arena.place(take(&arena, layout(56, 1), 3)).is_some());
    assert!(arena.place(take(&arena, layout(1, 1), 4)).is_none());
    let end = arena.start().wrapping_add(256);
    assert_eq!((arena.place(end.wrapping_sub(1)), arena.place(end)), (Some(255), None));
}

#[test]
fn the_last_piece_grows_in_place_and_can_be_freed() {
    let arena = Small::new();
    let (first, second) = (take(&arena, layout(10, 1), 1), take(&arena, layout(10, 1), 2));
    // SAFETY: this allocator returned the piece for this layout, here and below.
    let grown = unsafe { arena.realloc(second, layout(10, 1), 100) };
    assert_eq!(grown, second);
    // SAFETY: as above.
    let moved = unsafe { arena.realloc(first, layout(10, 1), 20) };
    assert!(moved != first && arena.place(moved).is_some());
    assert_eq!((read(moved, 10), read(second, 10)), (vec![1; 10], vec![2; 10]));
    for (piece, size) in [(moved, 20), (grown, 100), (first, 10)] {
        // SAFETY: as above.
        unsafe { arena.dealloc(piece, layout(size, 1)) };
    }
    assert_eq!(take(&arena, layout(1, 1), 3), first);
}

#[test]
fn a_piece_shrinks_in_place() {
    let arena = Small::new();
    let (first, second) = (take(&arena, layout(10, 1), 1), take(&arena, layout(10, 1), 2));
    for piece in [first, second] {
        // SAFETY: this allocator returned the piece for this layout.
        assert_eq!(unsafe { arena.realloc(piece, layout(10, 1), 5) }, piece);
    }
    assert_eq!(take(&arena, layout(1, 1), 3), second.wrapping_add(5));
}

/// Memory that was used before is cleared.
#[test]
fn alloc_zeroed_clears_reused_memory() {
    let arena = Small::new();
    let piece = take(&arena, layout(64, 1), 0xff);
    // SAFETY: this allocator returned the piece for this layout.
    unsafe { arena.dealloc(piece, layout(64, 1)) };
    // SAFETY: the size is not 0.
    let zeroed = unsafe { arena.alloc_zeroed(layout(64, 1)) };
    assert_eq!((zeroed, read(zeroed, 64)), (piece, vec![0; 64]));
}
