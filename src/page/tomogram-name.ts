/** The name of a tomogram: that of its file, as other programs give it, without the endings that say what kind of file it is. */
export function tomogramNameOf(file: string): string {
  return file.replace(/(?<=.)(?:\.(?:mrcs?|rec|map|st|ccp4|tiff?|zarr|ozx|ome|gz|zip))+$/i, '');
}
