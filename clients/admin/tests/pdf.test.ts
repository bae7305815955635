import type { Download } from "@veritick/client";
import { beforeEach, expect, test, vi } from "vitest";
import { createSSRApp, effectScope, type EffectScope } from "vue";
import { renderToString } from "vue/server-renderer";
import DocumentViewer from "~/components/DocumentViewer.vue";
import { usePdf, type ShownPdf } from "~/composables/usePdf";
import { texts } from "~/messages";
import { openPdf } from "~/pdf";

const pdfjs = vi.hoisted(() => ({
  AnnotationMode: { DISABLE: 0, ENABLE: 1 },
  GlobalWorkerOptions: { workerSrc: "" },
  getDocument: vi.fn(),
}));
vi.mock("pdfjs-dist", () => pdfjs);

const CONTENT = new Blob(["%PDF-1.7"], { type: "application/pdf" });
const destroy = vi.fn(() => Promise.resolve());
const render = vi.fn(() => ({ promise: Promise.resolve() }));

/** A page of 300 by 400 points, with these pictures on it. */
function page(pictures: readonly [string, unknown][] = []): object {
  return {
    getViewport: ({ scale }: { scale: number }) => ({ width: 300 * scale, height: 400 * scale }),
    render,
    cleanup: () => true,
    objs: pictures,
    commonObjs: [],
  };
}

/** Lets the library find this many pages in whatever it is given. */
function holding(numPages: number, each = page()): void {
  const file = { numPages, getPage: () => Promise.resolve(each) };
  pdfjs.getDocument.mockReturnValue({ promise: Promise.resolve(file), destroy });
}

function canvas(clientWidth: number): HTMLCanvasElement {
  return { clientWidth, width: 0, height: 0 } as HTMLCanvasElement;
}

function shown(): { scope: EffectScope; found: ShownPdf } {
  const scope = effectScope();
  const found = scope.run(() => usePdf(() => CONTENT));
  if (found === undefined) throw new Error("the scope ended");
  return { scope, found };
}

beforeEach(() => {
  vi.clearAllMocks();
  vi.stubGlobal("window", { devicePixelRatio: 3 });
});

test("nothing in a file is run or passed over, and its reader is one of our own files", async () => {
  holding(1);
  await openPdf(CONTENT);
  expect(pdfjs.getDocument).toHaveBeenCalledExactlyOnceWith(
    expect.objectContaining({
      data: new TextEncoder().encode("%PDF-1.7"),
      isEvalSupported: false,
      useWasm: false,
      enableXfa: false,
      stopAtErrors: true,
    }),
  );
  expect(pdfjs.GlobalWorkerOptions.workerSrc).toMatch(/^\/.*pdf\.worker\.min\.mjs$/);
});

test("a page is drawn as wide as its column, twice as fine at most, without what floats on it", async () => {
  holding(2);
  const { pages } = await openPdf(CONTENT);
  expect(pages.map(({ number }) => number)).toEqual([1, 2]);
  const sheet = canvas(600);
  await pages[1]?.draw(sheet);
  expect([sheet.width, sheet.height]).toEqual([1200, 1600]);
  const viewport = { width: 1200, height: 1600 };
  expect(render).toHaveBeenCalledExactlyOnceWith({ canvas: sheet, viewport, annotationMode: 0 });
});

test("pages are drawn one after another", async () => {
  holding(2);
  let finish: () => void = () => undefined;
  render.mockReturnValueOnce({ promise: new Promise((resolve) => (finish = resolve)) });
  const { pages } = await openPdf(CONTENT);
  const drawing = pages.map((each) => each.draw(canvas(600)));
  await vi.waitFor(() => {
    expect(render).toHaveBeenCalledOnce();
  });
  finish();
  await Promise.all(drawing);
  expect(render).toHaveBeenCalledTimes(2);
});

test("a page whose picture could not be unpacked does not pass for drawn", async () => {
  holding(1, page([["img_p0_1", null]]));
  const { pages } = await openPdf(CONTENT);
  await expect(pages[0]?.draw(canvas(600))).rejects.toThrow("img_p0_1");
});

test("a file that is longer than any that is taken in, or no PDF at all, is not shown", async () => {
  holding(21);
  const long = shown().found;
  await vi.waitFor(() => {
    expect(long.failed.value).toBe(true);
  });
  expect(long.pdf.value).toBeUndefined();
  pdfjs.getDocument.mockReturnValue({ promise: Promise.reject(new Error("no PDF")), destroy });
  const broken = shown().found;
  await vi.waitFor(() => {
    expect(broken.failed.value).toBe(true);
  });
  expect(destroy).toHaveBeenCalledTimes(2);
});

test("what reads a file ends when a page fails, or nobody looks any more", async () => {
  holding(20);
  const first = shown();
  await vi.waitFor(() => {
    expect(first.found.pdf.value?.pages).toHaveLength(20);
  });
  first.found.fail();
  expect(first.found.pdf.value).toBeUndefined();
  expect(destroy).toHaveBeenCalledOnce();
  const second = shown();
  await vi.waitFor(() => {
    expect(second.found.pdf.value).toBeDefined();
  });
  second.scope.stop();
  expect(destroy).toHaveBeenCalledTimes(2);
});

test("who leaves before a file is open leaves nothing running", async () => {
  holding(1);
  const { scope, found } = shown();
  scope.stop();
  await vi.waitFor(() => {
    expect(destroy).toHaveBeenCalledOnce();
  });
  expect(found.pdf.value).toBeUndefined();
});

test("a PDF can be saved while it is still being opened, and whatever becomes of that", async () => {
  pdfjs.getDocument.mockReturnValue({ promise: new Promise(() => undefined), destroy });
  const file: Download = { name: "document.pdf", content: CONTENT };
  const page = await renderToString(createSSRApp(DocumentViewer, { file }));
  expect(page).toContain(texts.kyc.keep);
  expect(page).toContain(texts.app.loading);
});
