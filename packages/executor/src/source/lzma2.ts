/**
 * LZMA2: chunks that are stored or LZMA coded, over one dictionary. After the LZMA specification
 * (https://www.7-zip.org/sdk.html, lzma-specification) and the chunk headers of xz's lzma2 decoder.
 */
import { type ByteReader, DamagedData } from './bit-reader.js';

const probabilityBits = 11;
const initialProbability = 1 << (probabilityBits - 1);
const stateCount = 12;
const maxPositionStates = 16;
/** Longest match. */
const maxLength = 273;
/** Output kept before it is handed on, beyond the dictionary. Bytes. */
const chunkSize = 1 << 20;

/** @throws DamagedData for damaged data */
export function* decodeLzma2(reader: ByteReader, dictionarySize: number): Generator<Buffer> {
  const window = new Window(dictionarySize);
  const decoder = new Lzma(window);
  let needsDictionary = true;
  let needsProperties = true;
  let needsState = true;
  for (;;) {
    const control = reader.byte();
    if (control === 0) {
      yield* window.take();
      return;
    }
    const coded = control >= 0x80;
    if (!coded && control > 2) throw new DamagedData('bad LZMA2 chunk');
    const resetsDictionary = coded ? control >= 0xe0 : control === 1;
    if (resetsDictionary) {
      window.reset();
      needsDictionary = false;
    } else if (needsDictionary) {
      throw new DamagedData('LZMA2 data without a dictionary reset');
    }
    if (!coded) {
      window.copyFrom(reader, ((reader.byte() << 8) | reader.byte()) + 1);
    } else {
      const size = (((control & 0x1f) << 16) | (reader.byte() << 8) | reader.byte()) + 1;
      const packed = ((reader.byte() << 8) | reader.byte()) + 1;
      const reset = (control >> 5) & 3;
      if (reset >= 2) {
        decoder.setProperties(reader.byte());
        needsProperties = false;
      } else if (needsProperties) {
        throw new DamagedData('LZMA2 data without properties');
      }
      if (reset >= 1) {
        decoder.resetState();
        needsState = false;
      } else if (needsState) {
        throw new DamagedData('LZMA2 data without a state reset');
      }
      decoder.decode(reader.bytes(packed), size);
    }
    yield* window.take();
  }
}

/** Output with as much of its past as matches may refer to. */
class Window {
  readonly #dictionarySize: number;
  buffer: Buffer;
  /** Where the next byte goes. */
  at = 0;
  /** Bytes since the last reset, at most the dictionary's size: how far back a match may go. */
  filled = 0;
  #taken = 0;

  constructor(dictionarySize: number) {
    this.#dictionarySize = dictionarySize;
    // Grows with the output: a small file with a large dictionary needs little.
    this.buffer = Buffer.allocUnsafe(Math.min(dictionarySize, 1 << 20) + 4 * chunkSize);
  }

  reset(): void {
    this.filled = 0;
  }

  /** Makes room for the next chunk of at most 2 MiB. */
  reserve(size: number): void {
    if (this.at + size <= this.buffer.length) return;
    const keep = Math.min(this.at, this.#dictionarySize);
    if (keep + size > this.buffer.length || keep < this.#dictionarySize) {
      const grown = Math.min(this.buffer.length * 2, this.#dictionarySize + 4 * chunkSize);
      const next = Buffer.allocUnsafe(Math.max(grown, keep + size));
      this.buffer.copy(next, 0, this.at - keep, this.at);
      this.buffer = next;
    } else {
      this.buffer.copyWithin(0, this.at - keep, this.at);
    }
    this.#taken -= this.at - keep;
    this.at = keep;
  }

  advance(count: number): void {
    this.at += count;
    this.filled = Math.min(this.filled + count, this.#dictionarySize);
  }

  copyFrom(reader: ByteReader, size: number): void {
    this.reserve(size);
    reader.bytes(size).copy(this.buffer, this.at);
    this.advance(size);
  }

  /** What was not handed out yet. Called after each chunk, so nothing is lost when the buffer moves. */
  *take(): Generator<Buffer> {
    if (this.at === this.#taken) return;
    yield Buffer.from(this.buffer.subarray(this.#taken, this.at));
    this.#taken = this.at;
  }
}

function probabilities(count: number): Uint16Array {
  return new Uint16Array(count).fill(initialProbability);
}

/** Lengths of matches: short and middle ones by position, long ones without. */
class LengthCoder {
  readonly choice = probabilities(2);
  readonly low = probabilities(maxPositionStates << 3);
  readonly middle = probabilities(maxPositionStates << 3);
  readonly high = probabilities(256);
}

class Lzma {
  readonly #window: Window;
  #literalContextBits = 0;
  #literalPositionMask = 0;
  #positionMask = 0;
  #literals = probabilities(0);
  #isMatch = probabilities(0);
  #isRep = probabilities(0);
  #isRep0 = probabilities(0);
  #isRep1 = probabilities(0);
  #isRep2 = probabilities(0);
  #isRep0Long = probabilities(0);
  #slots = probabilities(0);
  #special = probabilities(0);
  #align = probabilities(0);
  #lengths = new LengthCoder();
  #repLengths = new LengthCoder();
  #state = 0;
  #reps = [0, 0, 0, 0];
  /** The range coder, over one chunk. */
  #input: Buffer = Buffer.alloc(0);
  #next = 0;
  #range = 0;
  #code = 0;

  constructor(window: Window) {
    this.#window = window;
  }

  setProperties(byte: number): void {
    if (byte >= 9 * 5 * 5) throw new DamagedData('bad LZMA properties');
    const contextBits = byte % 9;
    const rest = Math.floor(byte / 9);
    const literalPositionBits = rest % 5;
    if (contextBits + literalPositionBits > 4) throw new DamagedData('bad LZMA2 properties');
    this.#literalContextBits = contextBits;
    this.#literalPositionMask = (1 << literalPositionBits) - 1;
    this.#positionMask = (1 << Math.floor(rest / 5)) - 1;
  }

  resetState(): void {
    const literalStates = (this.#literalPositionMask + 1) << this.#literalContextBits;
    this.#literals = probabilities(0x300 * literalStates);
    this.#isMatch = probabilities(stateCount * maxPositionStates);
    this.#isRep = probabilities(stateCount);
    this.#isRep0 = probabilities(stateCount);
    this.#isRep1 = probabilities(stateCount);
    this.#isRep2 = probabilities(stateCount);
    this.#isRep0Long = probabilities(stateCount * maxPositionStates);
    this.#slots = probabilities(4 << 6);
    this.#special = probabilities(115);
    this.#align = probabilities(16);
    this.#lengths = new LengthCoder();
    this.#repLengths = new LengthCoder();
    this.#state = 0;
    this.#reps = [0, 0, 0, 0];
    this.#position = 0;
  }

  /** Position for literal and match contexts: bytes since the state reset of the dictionary. */
  #position = 0;

  decode(input: Buffer, size: number): void {
    this.#window.reserve(size);
    this.#input = input;
    this.#startRange();
    let left = size;
    while (left > 0) {
      const positionState = this.#position & this.#positionMask;
      const state = this.#state;
      if (this.#bit(this.#isMatch, state * maxPositionStates + positionState) === 0) {
        this.#literal();
        left -= 1;
        continue;
      }
      const length = this.#match(state, positionState);
      if (length === 0) {
        left -= 1;
        continue;
      }
      if (length > left) throw new DamagedData('match longer than its chunk');
      this.#copy(this.#reps[0] as number, length);
      left -= length;
    }
    if (this.#range >>> 24 === 0) this.#normalize();
    if (this.#next !== input.length || this.#code !== 0)
      throw new DamagedData('chunk does not end where it should');
  }

  #startRange(): void {
    if (this.#input.length < 5 || this.#input[0] !== 0) throw new DamagedData('bad start of an LZMA chunk');
    this.#code = this.#input.readUInt32BE(1);
    this.#next = 5;
    this.#range = 0xffffffff;
  }

  #normalize(): void {
    this.#range = (this.#range << 8) >>> 0;
    this.#code = ((this.#code << 8) | (this.#input[this.#next++] ?? 0)) >>> 0;
  }

  #bit(model: Uint16Array, index: number): number {
    if (this.#range < 0x1000000) this.#normalize();
    const probability = model[index] as number;
    const bound = (this.#range >>> probabilityBits) * probability;
    if (this.#code < bound) {
      this.#range = bound;
      model[index] = probability + ((2048 - probability) >> 5);
      return 0;
    }
    this.#range -= bound;
    this.#code -= bound;
    model[index] = probability - (probability >> 5);
    return 1;
  }

  #directBits(count: number): number {
    let value = 0;
    for (let i = 0; i < count; i += 1) {
      if (this.#range < 0x1000000) this.#normalize();
      this.#range >>>= 1;
      const one = this.#code >= this.#range;
      if (one) this.#code -= this.#range;
      value = value * 2 + (one ? 1 : 0);
    }
    return value;
  }

  #tree(model: Uint16Array, offset: number, bits: number): number {
    let node = 1;
    for (let i = 0; i < bits; i += 1) node = (node << 1) | this.#bit(model, offset + node);
    return node - (1 << bits);
  }

  #reverseTree(model: Uint16Array, offset: number, bits: number): number {
    let node = 1;
    let value = 0;
    for (let i = 0; i < bits; i += 1) {
      const bit = this.#bit(model, offset + node);
      node = (node << 1) | bit;
      value |= bit << i;
    }
    return value;
  }

  #literal(): void {
    const window = this.#window;
    const previous = window.filled > 0 ? (window.buffer[window.at - 1] as number) : 0;
    const context =
      ((this.#position & this.#literalPositionMask) << this.#literalContextBits) |
      (previous >> (8 - this.#literalContextBits));
    const offset = 0x300 * context;
    let symbol = 1;
    if (this.#state >= 7) {
      let match = this.#byteAt(this.#reps[0] as number);
      while (symbol < 0x100) {
        const matchBit = (match >> 7) & 1;
        match <<= 1;
        const bit = this.#bit(this.#literals, offset + ((1 + matchBit) << 8) + symbol);
        symbol = (symbol << 1) | bit;
        if (matchBit !== bit) break;
      }
    }
    while (symbol < 0x100) symbol = (symbol << 1) | this.#bit(this.#literals, offset + symbol);
    this.#put(symbol & 0xff);
    this.#state = this.#state < 4 ? 0 : this.#state < 10 ? this.#state - 3 : this.#state - 6;
  }

  #byteAt(distance: number): number {
    const window = this.#window;
    if (distance >= window.filled) throw new DamagedData('match before the start of the data');
    return window.buffer[window.at - distance - 1] as number;
  }

  #put(byte: number): void {
    const window = this.#window;
    window.buffer[window.at] = byte;
    window.advance(1);
    this.#position += 1;
  }

  /** Sets the distance and the state; returns the length, or 0 where a single byte was repeated. */
  #match(state: number, positionState: number): number {
    if (this.#bit(this.#isRep, state) === 0) {
      const length = this.#length(this.#lengths, positionState);
      this.#state = state < 7 ? 7 : 10;
      this.#reps.unshift(this.#distance(length));
      this.#reps.pop();
      return length;
    }
    if (this.#bit(this.#isRep0, state) === 0) {
      if (this.#bit(this.#isRep0Long, state * maxPositionStates + positionState) === 0) {
        this.#state = state < 7 ? 9 : 11;
        this.#put(this.#byteAt(this.#reps[0] as number));
        return 0;
      }
    } else {
      let index = 1;
      if (this.#bit(this.#isRep1, state) === 1) index = this.#bit(this.#isRep2, state) === 0 ? 2 : 3;
      const [distance] = this.#reps.splice(index, 1) as [number];
      this.#reps.unshift(distance);
    }
    const length = this.#length(this.#repLengths, positionState);
    this.#state = state < 7 ? 8 : 11;
    return length;
  }

  #length(coder: LengthCoder, positionState: number): number {
    if (this.#bit(coder.choice, 0) === 0) return 2 + this.#tree(coder.low, positionState << 3, 3);
    if (this.#bit(coder.choice, 1) === 0) return 10 + this.#tree(coder.middle, positionState << 3, 3);
    return 18 + this.#tree(coder.high, 0, 8);
  }

  #distance(length: number): number {
    const slot = this.#tree(this.#slots, Math.min(length - 2, 3) << 6, 6);
    if (slot < 4) return slot;
    const directBits = (slot >> 1) - 1;
    const base = ((2 | (slot & 1)) << directBits) >>> 0;
    if (slot < 14) return base + this.#reverseTree(this.#special, base - slot, directBits);
    return base + this.#directBits(directBits - 4) * 16 + this.#reverseTree(this.#align, 0, 4);
  }

  #copy(distance: number, length: number): void {
    const window = this.#window;
    if (distance >= window.filled || length > maxLength)
      throw new DamagedData('match before the start of the data');
    const { buffer } = window;
    let to = window.at;
    let from = to - distance - 1;
    for (let i = 0; i < length; i += 1) buffer[to++] = buffer[from++] as number;
    window.advance(length);
    this.#position += length;
  }
}
