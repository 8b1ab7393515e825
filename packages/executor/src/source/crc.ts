/** The checksums of xz: CRC-32 (IEEE 802.3) and CRC-64 (ECMA-182), both with the least significant bit first. */

function table32(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, index) => {
    let crc = index;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
    return crc >>> 0;
  });
}

const crc32Table = table32();

/** @param previous result for what came before */
export function crc32(data: Uint8Array, previous = 0): number {
  let crc = ~previous;
  for (let i = 0; i < data.length; i += 1) {
    crc = (crc >>> 8) ^ (crc32Table[(crc ^ (data[i] as number)) & 0xff] as number);
  }
  return ~crc >>> 0;
}

/** CRC-64 in two halves of 32 bits: BigInt would be a hundred times slower. */
export class Crc64 {
  static readonly #lowTable = new Uint32Array(256);
  static readonly #highTable = new Uint32Array(256);
  static {
    for (let index = 0; index < 256; index += 1) {
      let low = index;
      let high = 0;
      for (let bit = 0; bit < 8; bit += 1) {
        const odd = low & 1;
        low = ((low >>> 1) | (high << 31)) >>> 0;
        high >>>= 1;
        if (odd === 1) {
          low = (low ^ 0xd7870f42) >>> 0;
          high = (high ^ 0xc96c5795) >>> 0;
        }
      }
      Crc64.#lowTable[index] = low;
      Crc64.#highTable[index] = high;
    }
  }

  #low = 0xffffffff;
  #high = 0xffffffff;

  update(data: Uint8Array): void {
    let low = this.#low;
    let high = this.#high;
    for (let i = 0; i < data.length; i += 1) {
      const index = (low ^ (data[i] as number)) & 0xff;
      low = ((low >>> 8) | (high << 24)) ^ (Crc64.#lowTable[index] as number);
      high = (high >>> 8) ^ (Crc64.#highTable[index] as number);
    }
    this.#low = low >>> 0;
    this.#high = high >>> 0;
  }

  /** 8 bytes, least significant first. */
  digest(): Buffer {
    const out = Buffer.alloc(8);
    out.writeUInt32LE(~this.#low >>> 0, 0);
    out.writeUInt32LE(~this.#high >>> 0, 4);
    return out;
  }
}
