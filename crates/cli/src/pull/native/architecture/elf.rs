//! Reads the header of an ELF file.
//!
//! Source of the format: <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>.

use super::Code;

const MAGIC: &[u8] = b"\x7fELF";
const CURRENT_VERSION: u8 = 1;

/// An ELF file, by its architecture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// All runtimes know it.
    Known(Code),
    /// Only new runtimes know it.
    New,
    /// No runtime knows it.
    Unknown,
}

/// The class of the format, which determines the layout of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Bits32,
    Bits64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

/// The places of the header's fields in bytes.
struct Layout {
    program_table: usize,
    section_table: usize,
    /// The length of these two offsets.
    offset_length: usize,
    /// The sizes and counts of both tables, 2 bytes each.
    counts: usize,
    length: usize,
    /// The smallest entries of the tables.
    program_entry: u64,
    section_entry: u64,
}

const BITS_32: Layout = Layout {
    program_table: 28,
    section_table: 32,
    offset_length: 4,
    counts: 42,
    length: 52,
    program_entry: 32,
    section_entry: 40,
};

const BITS_64: Layout = Layout {
    program_table: 32,
    section_table: 40,
    offset_length: 8,
    counts: 54,
    length: 64,
    program_entry: 56,
    section_entry: 64,
};

/// The machine with the number 258, LoongArch.
const LOONGARCH: u64 = 258;

/// The machines that the runtimes know, with the codes of the SIF format. The classes are those of
/// the runtime's table: it does not recognize 64-bit programs for ppc64, for example. Big-endian
/// ARM has no code.
const KNOWN: [(u64, Class, Order, &Code); 15] = [
    (3, Class::Bits32, Order::Little, b"01"),
    (6, Class::Bits32, Order::Little, b"01"),
    (62, Class::Bits64, Order::Little, b"02"),
    (40, Class::Bits32, Order::Little, b"03"),
    (40, Class::Bits32, Order::Big, b"00"),
    (183, Class::Bits64, Order::Little, b"04"),
    (183, Class::Bits64, Order::Big, b"00"),
    (22, Class::Bits64, Order::Big, b"11"),
    (21, Class::Bits32, Order::Big, b"05"),
    (21, Class::Bits64, Order::Little, b"06"),
    (8, Class::Bits32, Order::Big, b"07"),
    (8, Class::Bits32, Order::Little, b"08"),
    (8, Class::Bits64, Order::Big, b"09"),
    (8, Class::Bits64, Order::Little, b"10"),
    (243, Class::Bits64, Order::Little, b"12"),
];

/// The program in a file of `size` bytes that begins with `head`. `None` if Go's parser refuses it.
/// Names of sections that point outside of the file are not noticed: they are not in the header.
pub(super) fn program(head: &[u8], size: u64) -> Option<Program> {
    let (class, order) = match head.strip_prefix(MAGIC)? {
        [class, order, CURRENT_VERSION, ..] => (class, order),
        _ => return None,
    };
    let (class, layout) = match class {
        1 => (Class::Bits32, BITS_32),
        2 => (Class::Bits64, BITS_64),
        _ => return None,
    };
    let order = match order {
        1 => Order::Little,
        2 => Order::Big,
        _ => return None,
    };
    let header = Header { head: head.get(..layout.length)?, order };
    if header.number(20, 4)? != u64::from(CURRENT_VERSION) || !header.tables_fit(&layout, size)? {
        return None;
    }
    let machine = header.number(18, 2)?;
    let is_it = |(known, its_class, its_order, _): &&(u64, Class, Order, &Code)| {
        (*known, *its_class, *its_order) == (machine, class, order)
    };
    Some(match KNOWN.iter().find(is_it) {
        Some((_, _, _, code)) => Program::Known(**code),
        None if machine == LOONGARCH => Program::New,
        None => Program::Unknown,
    })
}

struct Header<'a> {
    head: &'a [u8],
    order: Order,
}

impl Header<'_> {
    fn number(&self, at: usize, length: usize) -> Option<u64> {
        let bytes = self.head.get(at..)?.get(..length)?;
        let add = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(match self.order {
            Order::Big => bytes.iter().fold(0, add),
            Order::Little => bytes.iter().rev().fold(0, add),
        })
    }

    /// Whether both tables have entries of a valid size and are inside of the file.
    fn tables_fit(&self, layout: &Layout, size: u64) -> Option<bool> {
        let count = |index: usize| self.number(layout.counts + 2 * index, 2);
        let programs =
            (self.number(layout.program_table, layout.offset_length)?, count(0)?, count(1)?);
        let sections =
            (self.number(layout.section_table, layout.offset_length)?, count(2)?, count(3)?);
        let names = count(4)?;
        let fits = |(at, length, count): (u64, u64, u64), smallest: u64| {
            let end = length.checked_mul(count).and_then(|table| table.checked_add(at));
            count == 0 || (length >= smallest && end.is_some_and(|end| end <= size))
        };
        // Without a table there are no sections. Otherwise, their names are in one of them.
        let consistent = match sections {
            (0, _, count) => count == 0,
            (_, _, count) => names < count,
        };
        Some(
            consistent
                && fits(programs, layout.program_entry)
                && fits(sections, layout.section_entry),
        )
    }
}
