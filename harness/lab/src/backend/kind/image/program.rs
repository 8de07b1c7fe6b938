//! What a Linux program says of itself: for which processor, with which loader, which libraries it needs.

use std::path::PathBuf;

use object::{
    Endianness, FileKind, elf,
    read::elf::{FileHeader as _, ProgramHeader as _},
};

/// A program or library, as far as bringing it elsewhere is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Program {
    /// In Go's words: `amd64`, `arm64`.
    pub(super) architecture: String,
    /// The loader; none in a statically linked program.
    pub(super) interpreter: Option<PathBuf>,
    /// Names of libraries.
    pub(super) needed: Vec<String>,
    /// Folders that it names itself, perhaps with `$ORIGIN`.
    pub(super) folders: Vec<String>,
}

/// Reads a program; the error says what it is instead.
pub(super) fn read(data: &[u8]) -> Result<Program, String> {
    let what = match FileKind::parse(data) {
        Ok(FileKind::Elf64) => return read_elf(data).map_err(|error| format!("it is damaged ({error})")),
        Ok(FileKind::Elf32) => "it is a 32-bit program",
        Ok(FileKind::MachO32 | FileKind::MachO64 | FileKind::MachOFat32 | FileKind::MachOFat64) => {
            "it is a program for macOS, and the registry runs on Linux"
        }
        Ok(FileKind::Pe32 | FileKind::Pe64) => "it is a program for Windows, and the registry runs on Linux",
        _ => "it is not a Linux program",
    };
    Err(what.to_owned())
}

fn read_elf(data: &[u8]) -> object::read::Result<Program> {
    let header = elf::FileHeader64::<Endianness>::parse(data)?;
    let endian = header.endian()?;
    let mut program = Program { architecture: architecture(header.e_machine(endian)), ..Program::default() };
    for segment in header.program_headers(endian, data)? {
        if let Some(path) = segment.interpreter(endian, data)? {
            program.interpreter = Some(PathBuf::from(text(path)));
        }
    }
    let table = header.sections(endian, data)?.dynamic_table(endian, data)?;
    for entry in &table {
        match entry.tag {
            elf::DT_NEEDED => program.needed.push(text(table.string(entry)?)),
            elf::DT_RPATH | elf::DT_RUNPATH => {
                program.folders.extend(text(table.string(entry)?).split(':').map(str::to_owned));
            }
            _ => {}
        }
    }
    Ok(program)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

fn architecture(machine: elf::Machine) -> String {
    match machine {
        elf::EM_X86_64 => "amd64".into(),
        elf::EM_AARCH64 => "arm64".into(),
        elf::EM_S390 => "s390x".into(),
        elf::EM_PPC64 => "ppc64le".into(),
        elf::EM_RISCV => "riscv64".into(),
        other => format!("other ({other:?})"),
    }
}
