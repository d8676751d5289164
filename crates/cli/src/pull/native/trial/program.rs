//! Programs that end at once with status 0: an ELF file with a single segment.
//!
//! Source of the format: <https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html>.

/// The size of the program in bytes. Most of it are zeros, so that it is stored compressed.
const SIZE: usize = 4096;
/// The lengths of the header and of the table with one entry, in bytes. The code follows.
const HEADER: u16 = 64;
const TABLE_ENTRY: u16 = 56;
/// The address at which the program is loaded.
const ADDRESS: u64 = 0x40_0000;

/// The number of a machine, and the instructions that call `exit(0)`. All are little-endian.
struct Machine {
    number: u16,
    code: &'static [u8],
}

const MACHINES: [(&str, Machine); 3] = [
    // xor edi, edi; mov eax, 60; syscall
    ("amd64", Machine { number: 62, code: &[0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05] }),
    // mov x0, 0; mov x8, 93; svc 0
    (
        "arm64",
        Machine { number: 183, code: &[0, 0, 0x80, 0xd2, 0xa8, 0x0b, 0x80, 0xd2, 1, 0, 0, 0xd4] },
    ),
    // li a0, 0; li a7, 93; ecall
    ("riscv64", Machine { number: 243, code: &[0x13, 5, 0, 0, 0x93, 8, 0xd0, 5, 0x73, 0, 0, 0] }),
];

/// The program for an architecture; `None` if there is none for it.
pub(super) fn of(architecture: &str) -> Option<Vec<u8>> {
    let (_, machine) = MACHINES.iter().find(|(name, _)| *name == architecture)?;
    let mut program = header(machine.number);
    program.extend(segment());
    program.extend(machine.code);
    program.resize(SIZE, 0);
    Some(program)
}

fn header(machine: u16) -> Vec<u8> {
    let mut header = b"\x7fELF\x02\x01\x01".to_vec();
    header.resize(16, 0);
    // An executable file for this machine, in version 1 of the format.
    header.extend(2_u16.to_le_bytes());
    header.extend(machine.to_le_bytes());
    header.extend(1_u32.to_le_bytes());
    let entry = ADDRESS + u64::from(HEADER) + u64::from(TABLE_ENTRY);
    // The entry, the table of segments, and no table of sections.
    for number in [entry, HEADER.into(), 0] {
        header.extend(number.to_le_bytes());
    }
    header.extend(0_u32.to_le_bytes());
    for number in [HEADER, TABLE_ENTRY, 1, 0, 0, 0] {
        header.extend(number.to_le_bytes());
    }
    header
}

/// The whole file, readable and executable.
fn segment() -> Vec<u8> {
    let mut segment = Vec::new();
    for number in [1_u32, 5] {
        segment.extend(number.to_le_bytes());
    }
    for number in [0, ADDRESS, ADDRESS, SIZE as u64, SIZE as u64, SIZE as u64] {
        segment.extend(number.to_le_bytes());
    }
    segment
}
