import type {
  IPrimitivePaneRenderer,
  IPrimitivePaneView,
  ISeriesPrimitive,
  PrimitivePaneViewZOrder,
  SeriesAttachedParameter,
} from "lightweight-charts";
import type { Size } from "./brush";

type Target = Parameters<IPrimitivePaneRenderer["draw"]>[0];

/** Something that is drawn with the prices, in their pane and on their scale. */
export abstract class Layer
  implements ISeriesPrimitive, IPrimitivePaneView, IPrimitivePaneRenderer
{
  private readonly views: readonly IPrimitivePaneView[] = [this];
  private attachedTo: SeriesAttachedParameter | undefined;

  constructor(private readonly order: PrimitivePaneViewZOrder) {}

  attached(parameter: SeriesAttachedParameter): void {
    this.attachedTo = parameter;
  }

  detached(): void {
    this.attachedTo = undefined;
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return this.views;
  }

  zOrder(): PrimitivePaneViewZOrder {
    return this.order;
  }

  renderer(): IPrimitivePaneRenderer {
    return this;
  }

  draw(target: Target): void {
    target.useMediaCoordinateSpace(({ context, mediaSize }) => {
      this.paint(context, mediaSize);
    });
  }

  /** Has the pane drawn again, with the next frame. */
  protected refresh(): void {
    this.attachedTo?.requestUpdate();
  }

  /** The place of a price, in pixels from the top. */
  protected y(price: number): number | undefined {
    return this.attachedTo?.series.priceToCoordinate(price) ?? undefined;
  }

  protected abstract paint(context: CanvasRenderingContext2D, size: Size): void;
}
