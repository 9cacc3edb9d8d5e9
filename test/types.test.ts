import type { GenericArray, NdArray, TypedArray } from 'ndarray';
import type * as ortNode from 'onnxruntime-node';
import type * as ortWeb from 'onnxruntime-web';
import { describe, expectTypeOf, it } from 'vitest';
import type { Chunk } from 'zarrita';
import type { OrtModule, Volume, VolumeLike } from '../src/entry/index.ts';

describe('types', () => {
  it('any NdArray is volume-like', () => {
    expectTypeOf<NdArray<Float32Array>>().toExtend<VolumeLike>();
    expectTypeOf<NdArray<Float32Array>>().toExtend<VolumeLike<Float32Array>>();
    expectTypeOf<NdArray<Uint8Array>>().toExtend<VolumeLike>();
    expectTypeOf<NdArray<number[]>>().toExtend<VolumeLike>();
    expectTypeOf<NdArray<TypedArray>>().toExtend<VolumeLike>();
    // Data that is read by a method, not by index, is not.
    expectTypeOf<NdArray<GenericArray<number>>>().not.toExtend<VolumeLike>();
    expectTypeOf<NdArray<BigInt64Array<ArrayBuffer>>>().not.toExtend<VolumeLike>();
  });

  it('any zarrita chunk of numbers is volume-like with an offset', () => {
    expectTypeOf<Chunk<'float32'> & { offset: number }>().toExtend<VolumeLike>();
    expectTypeOf<Chunk<'uint16'> & { offset: number }>().toExtend<VolumeLike>();
  });

  it('any volume is volume-like, and voxels are read only in one type', () => {
    expectTypeOf<Volume>().toExtend<VolumeLike>();
    expectTypeOf<Volume<Uint8Array>>().not.toExtend<Volume>();
  });

  it('every ONNX runtime fits without a cast', () => {
    expectTypeOf<typeof ortNode>().toExtend<OrtModule>();
    expectTypeOf<typeof ortWeb>().toExtend<OrtModule>();
  });
});
