//! What made images run: a program of a few instructions that waits for SIGTERM or SIGINT and then ends well. It
//! needs no shell, no loader and no library, so an image can consist of it alone; as the first process of a
//! container it ends as soon as it is told to.
//!
//! It is put together from the bytes below, for the architectures that nodes usually have.

/// A Linux program for an architecture as images name it; nothing where there is none.
pub(crate) fn waiting(architecture: &str) -> Option<Vec<u8>> {
    let (machine, code) = match architecture.split('/').next()? {
        "amd64" => (X86_64, AMD64),
        "arm64" => (AARCH64, ARM64),
        _ => return None,
    };
    let code: Vec<u8> = code.iter().flat_map(|instruction| instruction.iter().copied()).collect();
    Some([header(machine, code.len() + SIGNALS.len()), code, SIGNALS.to_vec()].concat())
}

/// Machines as ELF numbers them.
const X86_64: u16 = 62;
const AARCH64: u16 = 183;

/// Where the program is in memory.
const BASE: u64 = 0x40_0000;
/// The sizes of ELF's header and of its one program header.
const HEADER: u16 = 64;
const PROGRAM_HEADER: u16 = 56;
/// The largest pages that there are.
const PAGE: u64 = 0x1_0000;

/// A set of signals as the kernel has it: bit n - 1 for signal n, here 2 (SIGINT) and 15 (SIGTERM). It follows the
/// code, which is 64 bytes long on both machines.
const SIGNALS: [u8; 8] = 0x4002_u64.to_le_bytes();

/// Blocked signals wait until they are fetched, even for the first process of a container, which would not get
/// them otherwise.
const AMD64: &[&[u8]] = &[
    &[0xb8, 0x0e, 0x00, 0x00, 0x00], // 00  mov eax, 14          rt_sigprocmask(
    &[0x31, 0xff],                   // 05  xor edi, edi           SIG_BLOCK,
    &[0x48, 0x8d, 0x35, 0x32, 0x00, 0x00, 0x00], // 07  lea rsi, [rip + 0x32]  signals,
    &[0x31, 0xd2],                   // 0e  xor edx, edx           no old set,
    &[0x41, 0xba, 0x08, 0x00, 0x00, 0x00], // 10  mov r10d, 8            8 bytes long
    &[0x0f, 0x05],                   // 16  syscall              )
    &[0xb8, 0x80, 0x00, 0x00, 0x00], // 18  mov eax, 128         rt_sigtimedwait(
    &[0x48, 0x8d, 0x3d, 0x1c, 0x00, 0x00, 0x00], // 1d  lea rdi, [rip + 0x1c]  signals,
    &[0x31, 0xf6],                   // 24  xor esi, esi           nothing to tell,
    &[0x31, 0xd2],                   // 26  xor edx, edx           for ever,
    &[0x41, 0xba, 0x08, 0x00, 0x00, 0x00], // 28  mov r10d, 8            8 bytes long
    &[0x0f, 0x05],                   // 2e  syscall              )
    &[0x48, 0x85, 0xc0],             // 30  test rax, rax        interrupted?
    &[0x78, 0xe3],                   // 33  js 18                again
    &[0xb8, 0x3c, 0x00, 0x00, 0x00], // 35  mov eax, 60          exit(
    &[0x31, 0xff],                   // 3a  xor edi, edi           0
    &[0x0f, 0x05],                   // 3c  syscall              )
    &[0x66, 0x90],                   // 3e  nop
];

/// The same for the other machine.
const ARM64: &[&[u8]] = &[
    &[0xe8, 0x10, 0x80, 0xd2], // 00  mov x8, #135         rt_sigprocmask(
    &[0x00, 0x00, 0x80, 0xd2], // 04  mov x0, #0             SIG_BLOCK,
    &[0xc1, 0x01, 0x00, 0x10], // 08  adr x1, 40             signals,
    &[0x02, 0x00, 0x80, 0xd2], // 0c  mov x2, #0             no old set,
    &[0x03, 0x01, 0x80, 0xd2], // 10  mov x3, #8             8 bytes long
    &[0x01, 0x00, 0x00, 0xd4], // 14  svc #0               )
    &[0x28, 0x11, 0x80, 0xd2], // 18  mov x8, #137         rt_sigtimedwait(
    &[0x20, 0x01, 0x00, 0x10], // 1c  adr x0, 40             signals,
    &[0x01, 0x00, 0x80, 0xd2], // 20  mov x1, #0             nothing to tell,
    &[0x02, 0x00, 0x80, 0xd2], // 24  mov x2, #0             for ever,
    &[0x03, 0x01, 0x80, 0xd2], // 28  mov x3, #8             8 bytes long
    &[0x01, 0x00, 0x00, 0xd4], // 2c  svc #0               )
    &[0x40, 0xff, 0xff, 0xb7], // 30  tbnz x0, #63, 18     interrupted? again
    &[0xa8, 0x0b, 0x80, 0xd2], // 34  mov x8, #93          exit(
    &[0x00, 0x00, 0x80, 0xd2], // 38  mov x0, #0             0
    &[0x01, 0x00, 0x00, 0xd4], // 3c  svc #0               )
];

/// The head of an ELF file with one segment, which is the whole file.
fn header(machine: u16, code: usize) -> Vec<u8> {
    let head = HEADER + PROGRAM_HEADER;
    let size = u64::from(head) + code as u64;
    [
        // 64 bits, little-endian, version 1, no particular system.
        b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec(),
        2_u16.to_le_bytes().to_vec(), // type: executable
        machine.to_le_bytes().to_vec(),
        1_u32.to_le_bytes().to_vec(),                      // version
        (BASE + u64::from(head)).to_le_bytes().to_vec(),   // entry
        u64::from(HEADER).to_le_bytes().to_vec(),          // offset of the program header
        0_u64.to_le_bytes().to_vec(),                      // no sections
        0_u32.to_le_bytes().to_vec(),                      // flags
        HEADER.to_le_bytes().to_vec(),                     // size of this header
        PROGRAM_HEADER.to_le_bytes().to_vec(),             // size of a program header
        1_u16.to_le_bytes().to_vec(),                      // how many
        [0_u16.to_le_bytes(); 3].concat(),                 // no sections: size, number, names
        1_u32.to_le_bytes().to_vec(),                      // segment: to be loaded
        5_u32.to_le_bytes().to_vec(),                      // to be read and executed
        0_u64.to_le_bytes().to_vec(),                      // from the start of the file
        [BASE.to_le_bytes(), BASE.to_le_bytes()].concat(), // address, virtual and physical
        [size.to_le_bytes(), size.to_le_bytes()].concat(), // size in the file and in memory
        PAGE.to_le_bytes().to_vec(),                       // alignment
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_architecture_has_its_own_program() {
        for (architecture, machine) in [("amd64", 62), ("arm64", 183), ("arm64/v8", 183)] {
            let program = waiting(architecture).unwrap();
            assert_eq!(program.len(), 120 + 64 + 8, "the code finds its data by distance");
            assert_eq!((&program[..4], program[18]), (&b"\x7fELF"[..], machine), "{architecture}");
        }
        assert_eq!(waiting("s390x"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn it_runs_here_and_ends_well_when_it_is_told_to() {
        use std::{
            fs,
            os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
            process::Command,
            time::Duration,
        };

        use pulldrill_clock::real;
        use rustix::process::{Pid, Signal, kill_process};

        /// Nothing outlives a test that fails.
        struct Running(std::process::Child);
        impl Drop for Running {
            fn drop(&mut self) {
                let _ended_already = self.0.kill();
            }
        }

        let Some(program) = waiting(crate::site::architecture()) else { return };
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("run");
        fs::write(&file, program).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        for signal in [Signal::TERM, Signal::INT] {
            let mut child = Running(Command::new(&file).env_clear().spawn().unwrap());
            let status = format!("/proc/{}/status", child.0.id());
            let waited = real::stopwatch();
            // It sleeps nowhere but where it waits for signals.
            while !fs::read_to_string(&status).unwrap().contains("State:\tS") {
                assert!(child.0.try_wait().unwrap().is_none(), "it does not wait");
                assert!(waited.elapsed() < Duration::from_secs(60), "it does not get there");
                std::thread::yield_now();
            }
            // What it does not wait for changes nothing.
            let pid = Pid::from_child(&child.0);
            kill_process(pid, Signal::CONT).unwrap();
            assert!(child.0.try_wait().unwrap().is_none());
            kill_process(pid, signal).unwrap();
            let ended = child.0.wait().unwrap();
            assert_eq!((ended.code(), ended.signal()), (Some(0), None), "{signal:?}");
        }
    }
}
