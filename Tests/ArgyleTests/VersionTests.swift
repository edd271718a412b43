import Testing

@testable import Argyle

struct VersionTests {
  @Test(arguments: [
    // Header, library, whether they are compatible.
    (0x00_01_00, 0x00_01_00, true), (0x00_01_00, 0x00_01_05, true),
    (0x00_01_05, 0x00_01_00, false), (0x00_01_00, 0x00_02_00, false),
    (0x00_02_00, 0x00_01_09, false), (0x00_01_00, 0x01_01_00, false),
    (0x01_00_00, 0x01_00_00, true), (0x01_00_03, 0x01_04_00, true),
    (0x01_04_00, 0x01_04_01, true), (0x01_04_00, 0x01_03_09, false),
    (0x01_00_00, 0x02_00_00, false), (0x02_00_00, 0x01_09_09, false),
    (-1, 0x00_01_00, false), (-1, 0x01_00_00, false),
  ])
  func libraryAcceptsHeadersThatAreNotNewer(header: Int32, library: Int32, fits: Bool) {
    #expect(Version.fits(header: header, library: library) == fits)
  }

  @Test func numberAndTextAgree() {
    #expect(Version.text(of: Version.number) == Version.text)
    #expect(Version.text(of: 0x0C_22_38) == "12.34.56")
  }
}
