//! A static Linux program of some two hundred bytes that prints a greeting and exits: what makes `docker run` of the
//! devnet's images work, on any image, without a compiler for each platform.

/// Where the program is loaded.
const BASE: u64 = 0x40_0000;
/// The ELF header and its one program header.
const HEADERS: u64 = 64 + 56;
const MAX_MESSAGE: usize = 4096;

/// The program for an OCI architecture (`amd64` or `arm64`; anything else gets amd64's).
pub(crate) fn greeting(architecture: &str, message: &str) -> Vec<u8> {
    let message = &message.as_bytes()[..message.len().min(MAX_MESSAGE)];
    let (machine, code) = match architecture {
        "arm64" => (183_u16, arm64(message.len() as u32)),
        _ => (62, amd64(message.len() as u32)),
    };
    let size = HEADERS + (code.len() + message.len()) as u64;
    let mut elf = headers(machine, size);
    elf.extend(code);
    elf.extend(message);
    elf
}

/// `write(1, message, length); exit(0)`, the message right behind.
fn amd64(length: u32) -> Vec<u8> {
    let mut code = vec![
        0xb8, 1, 0, 0, 0, // mov eax, 1 (write)
        0xbf, 1, 0, 0, 0, // mov edi, 1
        0x48, 0x8d, 0x35, 16, 0, 0, 0,    // lea rsi, [rip + 16]
        0xba, // mov edx, length
    ];
    code.extend(length.to_le_bytes());
    code.extend([
        0x0f, 0x05, // syscall
        0xb8, 60, 0, 0, 0, // mov eax, 60 (exit)
        0x31, 0xff, // xor edi, edi
        0x0f, 0x05, // syscall
    ]);
    code
}

/// The same for arm64.
fn arm64(length: u32) -> Vec<u8> {
    let code: [u32; 8] = [
        0xd280_0020,               // mov x0, #1
        0x1000_00e1,               // adr x1, #28
        0xd280_0002 | length << 5, // mov x2, #length
        0xd280_0808,               // mov x8, #64 (write)
        0xd400_0001,               // svc #0
        0xd280_0000,               // mov x0, #0
        0xd280_0ba8,               // mov x8, #93 (exit)
        0xd400_0001,               // svc #0
    ];
    code.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// ELF64, little-endian, executable, one segment that is the whole file.
fn headers(machine: u16, size: u64) -> Vec<u8> {
    let mut elf = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    elf.extend(2_u16.to_le_bytes()); // executable
    elf.extend(machine.to_le_bytes());
    elf.extend(1_u32.to_le_bytes()); // version
    for word in [BASE + HEADERS, 64, 0] {
        elf.extend(u64::to_le_bytes(word)); // entry, program headers, no section headers
    }
    elf.extend(0_u32.to_le_bytes()); // flags
    for half in [64_u16, 56, 1, 64, 0, 0] {
        elf.extend(half.to_le_bytes()); // sizes and counts of headers
    }
    elf.extend(1_u32.to_le_bytes()); // loaded
    elf.extend(5_u32.to_le_bytes()); // readable, executable
    for word in [0, BASE, BASE, size, size, 0x1000] {
        elf.extend(u64::to_le_bytes(word));
    }
    elf
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::{HEADERS, greeting};

    #[test]
    fn layout() {
        for architecture in ["amd64", "arm64"] {
            let elf = greeting(architecture, "hi");
            assert_eq!(u64::from_le_bytes(elf[32..40].try_into().unwrap()), 64);
            assert_eq!(u64::from_le_bytes(elf[96..104].try_into().unwrap()), elf.len() as u64);
            assert!(elf.len() as u64 > HEADERS && elf.ends_with(b"hi"));
        }
    }

    #[test]
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
    fn runs_here() {
        let architecture = if cfg!(target_arch = "x86_64") { "amd64" } else { "arm64" };
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("hello");
        std::fs::write(&program, greeting(architecture, "ahoy\n")).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let output = std::process::Command::new(&program).output().unwrap();
        assert!(output.status.success());
        assert_eq!(output.stdout, b"ahoy\n");
    }
}
