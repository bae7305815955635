import type { PDFDocumentProxy, PDFPageProxy } from "pdfjs-dist";
import workerAddress from "pdfjs-dist/build/pdf.worker.min.mjs?url";
import jpeg2000Address from "pdfjs-dist/wasm/openjpeg_nowasm_fallback.js?url";
import { drawingScale } from "~/domain/drawing";

export interface PdfPage {
  /** From 1 on. */
  readonly number: number;
  /** Draws it as wide as the canvas is on the page; rejects when that cannot be done whole. */
  readonly draw: (canvas: HTMLCanvasElement) => Promise<void>;
}

export interface Pdf {
  readonly pages: readonly PdfPage[];
  /** Ends its worker; what is being drawn is not finished. */
  readonly close: () => Promise<void>;
}

/** What `services/identity/inspection.py` lets through: pages of a PDF, and pixels of a picture. */
const PAGES_MAX = 20;
const PIXELS_MAX = 40_000_000;

/**
 * How a file of a stranger is read: nothing in it is ever run, and nothing of it is passed over,
 * since half a document must not look like a whole one.
 */
const MANNERS = {
  isEvalSupported: false,
  enableXfa: false,
  stopAtErrors: true,
  maxImageSize: PIXELS_MAX,
  // Our pages may not run WebAssembly. The decoder without it is looked for by its own name in a
  // folder; after a question mark that is no part of the path, and the hashed name is what is read.
  useWasm: false,
  wasmUrl: `${jpeg2000Address}?/`,
  verbosity: 0,
};

/** Opens a PDF; what reads it comes over the line only now. Rejects when it cannot be read. */
export async function openPdf(content: Blob): Promise<Pdf> {
  const { AnnotationMode, GlobalWorkerOptions, getDocument } = await import("pdfjs-dist");
  GlobalWorkerOptions.workerSrc = workerAddress;
  const data = new Uint8Array(await content.arrayBuffer());
  const opening = getDocument({ ...MANNERS, data });
  const close = (): Promise<void> => opening.destroy();
  try {
    return { pages: pagesOf(await opening.promise, AnnotationMode.DISABLE), close };
  } catch (error) {
    await close();
    throw error;
  }
}

function pagesOf(file: PDFDocumentProxy, annotationMode: number): PdfPage[] {
  if (file.numPages > PAGES_MAX) throw new Error(`more than ${PAGES_MAX} pages`);
  // One after another: the first is seen soonest, and one page at a time is in memory unpacked.
  let turn = Promise.resolve();
  return Array.from({ length: file.numPages }, (_, index) => ({
    number: index + 1,
    draw: (canvas) =>
      (turn = turn.then(async () => {
        await drawPage(await file.getPage(index + 1), canvas, annotationMode);
      })),
  }));
}

async function drawPage(
  page: PDFPageProxy,
  canvas: HTMLCanvasElement,
  annotationMode: number,
): Promise<void> {
  const size = page.getViewport({ scale: 1 });
  const scale = drawingScale(size, canvas.clientWidth, window.devicePixelRatio);
  const viewport = page.getViewport({ scale });
  canvas.width = Math.ceil(viewport.width);
  canvas.height = Math.ceil(viewport.height);
  await page.render({ canvas, viewport, annotationMode }).promise;
  requirePictures(page);
  page.cleanup();
}

/** Throws where a picture could not be unpacked: its place has stayed empty, without a word. */
function requirePictures(page: PDFPageProxy): void {
  for (const found of [page.objs, page.commonObjs])
    for (const [name, content] of found) if (content === null) throw new Error(`no ${name}`);
}
